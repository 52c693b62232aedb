with

orders as (
    select * from {{ ref('shop_orders') }}
),

events as (
    select * from {{ ref('shop_events') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
    where is_current
),

first_facts as (
    select {{ local_date('min(ordered_at)') }} as first_date
    from orders
    union all
    select {{ local_date('min(event_at)') }} as first_date
    from events
),

spans as (
    select
        min(first_facts.first_date) as first_date,
        min(as_of_dates.as_of_date) as last_date
    from first_facts
    cross join as_of_dates
),

digits as (
    select number from {{ number_series(0, 9) }}
),

-- Ten thousand days are 27 years.
numbers as (
    select
        ones.number + 10 * tens.number + 100 * hundreds.number + 1000 * thousands.number
            as day_number
    from digits as ones
    cross join digits as tens
    cross join digits as hundreds
    cross join digits as thousands
),

days as (
    select {{ date_add_days('spans.first_date', 'numbers.day_number') }} as calendar_date
    from spans
    cross join numbers
    where {{ date_add_days('spans.first_date', 'numbers.day_number') }} <= spans.last_date
),

described as (
    select
        calendar_date,
        -- 5 January 1970 was a Monday.
        mod({{ days_between("date '1970-01-05'", 'calendar_date') }}, 7) + 1
            as day_of_week_number
    from days
),

dates as (
    select
        calendar_date,
        cast(day_of_week_number as integer) as day_of_week_number,
        day_of_week_number >= 6 as is_weekend,
        {{ date_add_days('calendar_date', '1 - day_of_week_number') }} as week_start_date,
        cast(date_trunc('month', calendar_date) as date) as month_start_date,
        cast(date_trunc('quarter', calendar_date) as date) as quarter_start_date,
        cast(date_trunc('year', calendar_date) as date) as year_start_date
    from described
)

select * from dates
