-- For each order and model the credits sum to 1 and the amounts to the order's revenue.
with

attribution as (
    select
        order_id,
        attribution_model,
        sum(credit) as credit,
        sum(attributed_revenue_amount) as attributed_revenue_amount
    from {{ ref('fct_attribution') }}
    group by order_id, attribution_model
),

orders as (
    select * from {{ ref('fct_orders') }}
)

select
    attribution.order_id,
    attribution.attribution_model,
    attribution.credit,
    attribution.attributed_revenue_amount,
    orders.gross_revenue_amount
from attribution
inner join orders on attribution.order_id = orders.order_id
where
    abs(attribution.credit - 1) > 1e-9
    or attribution.attributed_revenue_amount <> orders.gross_revenue_amount
