with

order_items as (
    select * from {{ ref('int_order_items__enriched') }}
),

orders as (
    select * from {{ ref('int_orders__enriched') }}
),

described as (
    select
        order_items.order_item_id,
        order_items.order_id,
        order_items.line_number,
        order_items.product_id,
        orders.customer_id,
        orders.ordered_at,
        orders.order_date,
        orders.is_revenue_order,
        order_items.quantity,
        order_items.unit_price_amount,
        order_items.discount_amount,
        order_items.line_amount,
        order_items.order_discount_amount,
        order_items.returned_quantity,
        cast(case
            when orders.is_revenue_order then order_items.goods_amount else 0
        end as decimal(18, 4)) as gross_revenue_amount,
        cast(case
            when orders.is_revenue_order then order_items.refunded_amount else 0
        end as decimal(18, 4)) as returned_amount,
        cast(case
            when orders.is_revenue_order then order_items.goods_amount - order_items.refunded_amount
            else 0
        end as decimal(18, 4)) as net_revenue_amount,
        cast(case
            when orders.is_revenue_order
                then order_items.goods_cost_amount - order_items.refunded_cost_amount
            else 0
        end as decimal(18, 4)) as cost_amount,
        cast(case
            when orders.is_revenue_order
                then order_items.goods_amount - order_items.refunded_amount
                    - (order_items.goods_cost_amount - order_items.refunded_cost_amount)
            else 0
        end as decimal(18, 4)) as margin_amount
    from order_items
    inner join orders on order_items.order_id = orders.order_id
)

select * from described
