with

returns as (
    select * from {{ ref('shop_returns') }}
),

order_items as (
    select * from {{ ref('shop_order_items') }}
),

products as (
    select * from {{ ref('shop_products') }}
),

customers as (
    select * from {{ ref('shop_customers') }}
),

orders as (
    select * from {{ ref('int_orders__classified') }}
),

-- What the source left out of a return is filled from the line it returns.
matched_to_items as (
    select
        returns.return_id,
        returns.order_item_id,
        coalesce(returns.order_id, order_items.order_id) as order_id,
        coalesce(returns.product_id, order_items.product_id) as product_id,
        returns.customer_id,
        returns.returned_at,
        {{ local_date('returns.returned_at') }} as return_date,
        returns.quantity,
        returns.refund_amount,
        returns.return_reason,
        order_items.unit_cost_amount
    from returns
    left join order_items on returns.order_item_id = order_items.order_item_id
),

matched_to_orders as (
    select
        matched_to_items.return_id,
        orders.order_id,
        matched_to_items.order_item_id,
        matched_to_items.product_id,
        coalesce(matched_to_items.customer_id, orders.customer_id) as customer_id,
        matched_to_items.returned_at,
        matched_to_items.return_date,
        -- A return cannot be known before the order it belongs to.
        greatest(
            matched_to_items.return_date,
            coalesce(orders.order_date, matched_to_items.return_date)
        ) as known_from_date,
        orders.cancelled_date as order_cancelled_date,
        matched_to_items.quantity,
        matched_to_items.refund_amount,
        matched_to_items.return_reason,
        coalesce(matched_to_items.unit_cost_amount, products.unit_cost_amount) as unit_cost_amount,
        coalesce(orders.is_cancelled, false) as is_order_cancelled,
        coalesce(orders.is_test, false) as is_order_test
    from matched_to_items
    left join orders on matched_to_items.order_id = orders.order_id
    left join products on matched_to_items.product_id = products.product_id
),

enriched as (
    select
        matched_to_orders.return_id,
        matched_to_orders.order_id,
        matched_to_orders.order_item_id,
        matched_to_orders.product_id,
        matched_to_orders.customer_id,
        matched_to_orders.returned_at,
        matched_to_orders.return_date,
        matched_to_orders.known_from_date,
        matched_to_orders.order_cancelled_date,
        matched_to_orders.quantity,
        matched_to_orders.refund_amount,
        matched_to_orders.return_reason,
        -- Returned goods go back on the shelf; what is unknown does not.
        cast(
            coalesce(matched_to_orders.quantity * matched_to_orders.unit_cost_amount, 0)
            as decimal(18, 4)
        ) as returned_cost_amount,
        matched_to_orders.is_order_test or coalesce(customers.is_test, false) as is_test,
        not matched_to_orders.is_order_cancelled
        and not matched_to_orders.is_order_test
        and not coalesce(customers.is_test, false) as is_counted
    from matched_to_orders
    left join customers on matched_to_orders.customer_id = customers.customer_id
)

select * from enriched
