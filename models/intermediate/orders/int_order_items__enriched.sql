with

order_items as (
    select * from {{ ref('shop_order_items') }}
),

orders as (
    select * from {{ ref('shop_orders') }}
),

returns as (
    select * from {{ ref('int_returns__enriched') }}
),

returned_items as (
    select
        order_item_id,
        sum(quantity) as returned_quantity,
        sum(refund_amount) as returned_amount,
        sum(returned_cost_amount) as returned_cost_amount
    from returns
    group by order_item_id
),

items_in_orders as (
    select
        order_items.*,
        orders.discount_amount as whole_order_discount_amount,
        sum(order_items.line_amount) over (
            partition by order_items.order_id
        ) as order_lines_amount,
        row_number() over (
            partition by order_items.order_id
            order by
                order_items.line_amount desc, order_items.line_number, order_items.order_item_id
        ) as size_rank
    from order_items
    inner join orders on order_items.order_id = orders.order_id
),

discounted_orders as (
    select
        *,
        coalesce(
            cast(whole_order_discount_amount as double)
            / nullif(cast(order_lines_amount as double), 0),
            0
        ) as whole_order_discount_rate
    from items_in_orders
),

-- The order's discount is spread over its lines by their amount ...
proportional_shares as (
    select
        *,
        cast(case
            when size_rank = 1 then 0
            else round(whole_order_discount_rate * cast(line_amount as double), 4)
        end as decimal(18, 4)) as proportional_discount_amount
    from discounted_orders
),

-- ... and the largest line takes what rounding left, so that lines add up to the order exactly.
exact_shares as (
    select
        *,
        cast(case
            when size_rank = 1
                then
                    whole_order_discount_amount
                    - sum(proportional_discount_amount) over (partition by order_id)
            else proportional_discount_amount
        end as decimal(18, 4)) as order_discount_amount
    from proportional_shares
),

enriched as (
    select
        exact_shares.order_item_id,
        exact_shares.order_id,
        exact_shares.line_number,
        exact_shares.product_id,
        exact_shares.quantity,
        exact_shares.unit_price_amount,
        exact_shares.discount_amount,
        exact_shares.line_amount,
        exact_shares.order_discount_amount,
        cast(
            exact_shares.line_amount - exact_shares.order_discount_amount as decimal(18, 4)
        ) as goods_amount,
        cast(
            exact_shares.quantity * exact_shares.unit_cost_amount as decimal(18, 4)
        ) as goods_cost_amount,
        cast(coalesce(returned_items.returned_quantity, 0) as bigint) as returned_quantity,
        cast(coalesce(returned_items.returned_amount, 0) as decimal(18, 4)) as refunded_amount,
        cast(
            coalesce(returned_items.returned_cost_amount, 0) as decimal(18, 4)
        ) as refunded_cost_amount
    from exact_shares
    left join returned_items on exact_shares.order_item_id = returned_items.order_item_id
)

select * from enriched
