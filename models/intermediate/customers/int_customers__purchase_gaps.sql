with

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

orders as (
    select * from {{ ref('int_orders__enriched') }}
),

-- Two orders on one day are one purchase day: gaps are never zero.
purchase_days as (
    select distinct
        orders.customer_id,
        orders.order_date,
        as_of_dates.as_of_date as observed_until
    from orders
    inner join as_of_dates
        on as_of_dates.is_current and orders.order_date < as_of_dates.as_of_date
    where orders.customer_id is not null and orders.is_revenue_order
),

with_next_day as (
    select
        customer_id,
        order_date,
        observed_until,
        lead(order_date) over (
            partition by customer_id order by order_date
        ) as next_order_date
    from purchase_days
),

-- The gap after the last purchase is still open: known is only that it is at least so long.
gaps as (
    select
        customer_id,
        order_date,
        next_order_date,
        next_order_date is not null as is_closed,
        cast({{ days_between(
            'order_date', 'coalesce(next_order_date, observed_until)'
        ) }} as integer) as gap_days
    from with_next_day
)

select * from gaps
