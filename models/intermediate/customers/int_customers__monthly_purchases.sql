with

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

orders as (
    select * from {{ ref('int_orders__enriched') }}
),

-- Months that were over on the current as-of date.
observed_until as (
    select {{ date_add_months("date_trunc('month', max(as_of_date))", '-1') }} as last_month
    from as_of_dates
    where is_current
),

-- As known when the month was over: an order cancelled later was a purchase until then, and history
-- does not change with what comes after it.
purchases as (
    select
        orders.customer_id,
        cast(date_trunc('month', orders.order_date) as date) as month_start,
        orders.order_date
    from orders
    where
        orders.customer_id is not null
        and not orders.is_test
        and (
            orders.cancelled_date is null
            or orders.cancelled_date
            >= {{ date_add_months("date_trunc('month', orders.order_date)", '1') }}
        )
),

month_counts as (
    select
        customer_id,
        month_start,
        count(distinct order_date) as purchase_day_count
    from purchases
    group by customer_id, month_start
),

births as (
    select
        customer_id,
        min(month_start) as first_month
    from month_counts
    group by customer_id
),

first_months as (
    select min(first_month) as first_month
    from births
),

years as (
    select number from {{ number_series(0, 40) }}
),

months as (
    select number from {{ number_series(0, 11) }}
),

-- All months from the first purchase of anybody on, also those without a purchase.
calendar as (
    select
        {{ date_add_months('first_months.first_month', '12 * years.number + months.number') }}
            as month_start
    from first_months
    cross join years
    cross join months
),

complete_months as (
    select calendar.month_start
    from calendar
    inner join observed_until on calendar.month_start <= observed_until.last_month
),

-- The month of the first purchase says nothing of the state: it holds a purchase by definition.
monthly as (
    select
        births.customer_id,
        cast(complete_months.month_start as date) as month_start,
        cast(coalesce(month_counts.purchase_day_count, 0) as bigint) as purchase_day_count
    from births
    inner join complete_months on births.first_month < complete_months.month_start
    left join month_counts
        on births.customer_id = month_counts.customer_id
        and complete_months.month_start = month_counts.month_start
)

select * from monthly
