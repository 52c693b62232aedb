-- A customer's current totals are those of the customer's rows in fct_orders. Customers with
-- anything dated on or after the current as-of date are left out: the orders tell it, the customer
-- must not yet.
with

customers as (
    select * from {{ ref('dim_customers') }}
),

orders as (
    select * from {{ ref('fct_orders') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

order_totals as (
    select
        orders.customer_id,
        sum(case when orders.is_revenue_order then 1 else 0 end) as order_count,
        sum(orders.gross_revenue_amount) as gross_revenue_amount,
        max(greatest(
            orders.order_date,
            coalesce({{ local_date('orders.cancelled_at') }}, orders.order_date)
        )) as last_date
    from orders
    where orders.customer_id is not null
    group by orders.customer_id
),

differences as (
    select
        customers.customer_id,
        customers.order_count,
        customers.gross_revenue_amount,
        order_totals.order_count as expected_order_count,
        order_totals.gross_revenue_amount as expected_gross_revenue_amount
    from customers
    cross join as_of_dates
    left join order_totals on customers.customer_id = order_totals.customer_id
    where
        as_of_dates.is_current
        and (order_totals.last_date is null or order_totals.last_date < as_of_dates.as_of_date)
        and (
            customers.order_count <> coalesce(order_totals.order_count, 0)
            or customers.gross_revenue_amount <> coalesce(order_totals.gross_revenue_amount, 0)
            or (customers.order_count = 0) <> (customers.rfm_segment is null)
        )
)

select * from differences
