-- The revenue of an order is the sum of its lines as the shop has them, minus its discount; nothing
-- for cancelled and test orders. The lines of the mart add up to it to the last digit.
with

orders as (
    select * from {{ ref('fct_orders') }}
),

order_items as (
    select * from {{ ref('fct_order_items') }}
),

shop_orders as (
    select * from {{ ref('shop_orders') }}
),

shop_order_items as (
    select * from {{ ref('shop_order_items') }}
),

shop_customers as (
    select * from {{ ref('shop_customers') }}
),

shop_lines as (
    select
        order_id,
        sum(line_amount) as lines_amount
    from shop_order_items
    group by order_id
),

mart_lines as (
    select
        order_id,
        sum(gross_revenue_amount) as gross_revenue_amount
    from order_items
    group by order_id
),

expected as (
    select
        shop_orders.order_id,
        case
            when shop_orders.is_cancelled or shop_orders.is_test then 0
            when coalesce(shop_customers.is_test, false) then 0
            else coalesce(shop_lines.lines_amount, shop_orders.items_amount)
                - shop_orders.discount_amount
        end as revenue,
        shop_lines.order_id is not null as has_lines
    from shop_orders
    left join shop_lines on shop_orders.order_id = shop_lines.order_id
    left join shop_customers on shop_orders.customer_id = shop_customers.customer_id
),

differences as (
    select
        expected.order_id,
        expected.revenue,
        orders.gross_revenue_amount as order_revenue,
        mart_lines.gross_revenue_amount as lines_revenue
    from expected
    left join orders on expected.order_id = orders.order_id
    left join mart_lines on expected.order_id = mart_lines.order_id
    where
        orders.order_id is null
        or expected.revenue <> orders.gross_revenue_amount
        or (
            expected.has_lines
            and expected.revenue <> coalesce(mart_lines.gross_revenue_amount, -1)
        )
)

select * from differences
