with

order_items as (
    select * from {{ ref('int_order_items__enriched') }}
),

orders as (
    select * from {{ ref('int_orders__enriched') }}
),

cutoffs as (
    select * from {{ ref('int_as_of_dates__split_for_propensity') }}
),

-- What was known on the day: an order cancelled later still counted. Older purchases than two years
-- say little of the next month.
days as (
    select
        cutoffs.as_of_date,
        orders.customer_id,
        order_items.product_id,
        orders.order_date as purchase_date,
        sum(order_items.quantity) as quantity,
        sum(order_items.goods_amount) as spend_amount
    from orders
    inner join order_items on orders.order_id = order_items.order_id
    inner join cutoffs
        on orders.order_date < cutoffs.as_of_date
        and orders.order_date >= {{ date_add_days('cutoffs.as_of_date', -730) }}
        and (orders.cancelled_date is null or orders.cancelled_date >= cutoffs.as_of_date)
    where
        not orders.is_test
        and orders.customer_id is not null
        and order_items.product_id is not null
    group by
        cutoffs.as_of_date, orders.customer_id, order_items.product_id, orders.order_date
),

aged as (
    select
        *,
        dense_rank() over (
            partition by as_of_date, customer_id order by purchase_date desc
        ) - 1 as later_order_day_count
    from days
),

purchased as (
    select
        as_of_date,
        customer_id,
        product_id,
        cast(count(*) as integer) as purchase_day_count,
        min(purchase_date) as first_purchase_date,
        max(purchase_date) as last_purchase_date,
        cast(min(later_order_day_count) as integer) as later_order_day_count,
        cast(sum(quantity) as bigint) as quantity,
        cast(sum(spend_amount) as decimal(18, 4)) as spend_amount
    from aged
    group by as_of_date, customer_id, product_id
)

select * from purchased
