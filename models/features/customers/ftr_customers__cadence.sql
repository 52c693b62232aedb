with

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

orders as (
    select * from {{ ref('int_orders__enriched') }}
),

rhythm as (
    select * from {{ ref('int_customers__purchase_rhythm') }}
),

recent_orders as (
    select
        orders.customer_id,
        as_of_dates.as_of_date,
        {{ days_between('orders.order_date', 'as_of_dates.as_of_date') }} as days_ago
    from orders
    -- Half-open windows [as_of_date - n days, as_of_date).
    inner join as_of_dates
        on orders.order_date < as_of_dates.as_of_date
        and orders.order_date >= {{ date_add_days('as_of_dates.as_of_date', -365) }}
        and (
            orders.cancelled_date is null or orders.cancelled_date >= as_of_dates.as_of_date
        )
    where orders.customer_id is not null and not orders.is_test
),

recent_counts as (
    select
        customer_id,
        as_of_date,
        sum(case when days_ago <= 30 then 1 else 0 end) as order_count_30_days,
        sum(case when days_ago <= 90 then 1 else 0 end) as order_count_90_days,
        sum(case when days_ago <= 180 then 1 else 0 end) as order_count_180_days,
        count(*) as order_count_365_days
    from recent_orders
    group by customer_id, as_of_date
),

snapshots as (
    select
        rhythm.customer_id,
        as_of_dates.as_of_date,
        as_of_dates.is_current,
        {{ days_between('rhythm.first_order_date', 'as_of_dates.as_of_date') }} as tenure_days,
        {{ days_between('rhythm.last_order_date', 'as_of_dates.as_of_date') }}
            as days_since_last_order,
        rhythm.purchase_day_count,
        rhythm.active_month_count,
        rhythm.mean_gap_days,
        rhythm.median_gap_days,
        rhythm.standard_deviation_gap_days,
        rhythm.last_gap_days
    from rhythm
    inner join as_of_dates
        on rhythm.known_from <= as_of_dates.as_of_date
        and (rhythm.known_until is null or as_of_dates.as_of_date < rhythm.known_until)
),

cadence as (
    select
        snapshots.customer_id,
        snapshots.as_of_date,
        snapshots.is_current,
        cast(snapshots.tenure_days as integer) as tenure_days,
        cast(snapshots.days_since_last_order as integer) as days_since_last_order,
        cast(snapshots.purchase_day_count as integer) as purchase_day_count,
        cast(snapshots.active_month_count as integer) as active_month_count,
        cast(coalesce(recent_counts.order_count_30_days, 0) as integer) as order_count_30_days,
        cast(coalesce(recent_counts.order_count_90_days, 0) as integer) as order_count_90_days,
        cast(coalesce(recent_counts.order_count_180_days, 0) as integer) as order_count_180_days,
        cast(coalesce(recent_counts.order_count_365_days, 0) as integer) as order_count_365_days,
        snapshots.mean_gap_days,
        snapshots.median_gap_days,
        snapshots.standard_deviation_gap_days,
        snapshots.last_gap_days,
        cast(snapshots.days_since_last_order as double)
        / nullif(snapshots.mean_gap_days, 0) as recency_gap_ratio
    from snapshots
    left join recent_counts
        on snapshots.customer_id = recent_counts.customer_id
        and snapshots.as_of_date = recent_counts.as_of_date
)

select * from cadence
