with

days as (
    select * from {{ ref('int_days__matched_to_as_of_dates') }}
),

orders as (
    select * from {{ ref('int_orders__enriched') }}
),

-- Two orders on one day are one purchase day: gaps are never zero.
purchase_days as (
    select
        orders.customer_id,
        orders.order_date,
        order_days.first_as_of_date as known_from,
        cancellation_days.first_as_of_date as known_until
    from orders
    inner join days as order_days on orders.order_date = order_days.calendar_date
    left join days as cancellation_days
        on orders.cancelled_date = cancellation_days.calendar_date
    where
        orders.customer_id is not null
        and not orders.is_test
        -- Cancelled before any snapshot could see it.
        and (
            cancellation_days.first_as_of_date is null
            or cancellation_days.first_as_of_date > order_days.first_as_of_date
        )
    group by
        orders.customer_id,
        orders.order_date,
        order_days.first_as_of_date,
        cancellation_days.first_as_of_date
),

-- A customer's rhythm changes only where a purchase becomes known or is taken back, so it is worked
-- out there and not once for every snapshot.
change_dates as (
    select
        customer_id,
        known_from as change_date
    from purchase_days
    union
    select
        customer_id,
        known_until as change_date
    from purchase_days
    where known_until is not null
),

versions as (
    select
        customer_id,
        change_date as known_from,
        lead(change_date) over (partition by customer_id order by change_date) as known_until
    from change_dates
),

known_days as (
    select distinct
        versions.customer_id,
        versions.known_from,
        versions.known_until,
        purchase_days.order_date
    from versions
    inner join purchase_days
        on versions.customer_id = purchase_days.customer_id
        and purchase_days.known_from <= versions.known_from
        and (
            purchase_days.known_until is null
            or versions.known_from < purchase_days.known_until
        )
),

with_previous_day as (
    select
        customer_id,
        known_from,
        known_until,
        order_date,
        lag(order_date) over (
            partition by customer_id, known_from order by order_date
        ) as previous_order_date
    from known_days
),

with_gaps as (
    select
        customer_id,
        known_from,
        known_until,
        order_date,
        cast({{ days_between('previous_order_date', 'order_date') }} as double) as gap_days,
        case
            when date_trunc('month', order_date) = date_trunc('month', previous_order_date) then 0
            else 1
        end as opens_month
    from with_previous_day
),

rhythm as (
    select
        customer_id,
        known_from,
        known_until,
        min(order_date) as first_order_date,
        max(order_date) as last_order_date,
        count(*) as purchase_day_count,
        sum(opens_month) as active_month_count,
        avg(gap_days) as mean_gap_days,
        median(gap_days) as median_gap_days,
        stddev_samp(gap_days) as standard_deviation_gap_days,
        max_by(gap_days, order_date) as last_gap_days
    from with_gaps
    group by customer_id, known_from, known_until
)

select * from rhythm
