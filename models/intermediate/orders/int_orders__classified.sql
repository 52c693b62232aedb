with

orders as (
    select * from {{ ref('shop_orders') }}
),

customers as (
    select * from {{ ref('shop_customers') }}
),

dated as (
    select
        orders.order_id,
        orders.customer_id,
        {{ local_date('orders.ordered_at') }} as order_date,
        orders.is_cancelled,
        {{ local_date('orders.cancelled_at') }} as stated_cancelled_date,
        orders.is_test or coalesce(customers.is_test, false) as is_test
    from orders
    left join customers on orders.customer_id = customers.customer_id
),

classified as (
    select
        order_id,
        customer_id,
        order_date,
        -- A cancellation without a date counts as made at once: no snapshot counts the order.
        case
            when is_cancelled then greatest(coalesce(stated_cancelled_date, order_date), order_date)
        end as cancelled_date,
        is_cancelled,
        is_test,
        not is_cancelled and not is_test as is_revenue_order
    from dated
)

select * from classified
