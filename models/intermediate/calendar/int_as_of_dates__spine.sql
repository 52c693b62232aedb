with

orders as (
    select * from {{ ref('shop_orders') }}
),

returns as (
    select * from {{ ref('shop_returns') }}
),

events as (
    select * from {{ ref('shop_events') }}
),

requests as (
    select * from {{ ref('shop_page_requests') }}
),

last_facts as (
    select {{ local_date('max(ordered_at)') }} as last_date
    from orders
    union all
    select {{ local_date('max(cancelled_at)') }} as last_date
    from orders
    union all
    select {{ local_date('max(returned_at)') }} as last_date
    from returns
    union all
    select {{ local_date('max(event_at)') }} as last_date
    from events
),

-- A server log often runs ahead of the orders and moves nothing; a shop that has nothing else goes
-- by it.
last_requests as (
    select {{ local_date('max(requested_at)') }} as last_date
    from requests
),

-- The data decides, never the clock: the same data give the same dates tomorrow.
current_date_of_data as (
    select
        coalesce(
            {{ configured_as_of_date() }},
            {{ date_add_days('max(last_facts.last_date)', 1) }},
            {{ date_add_days('max(last_requests.last_date)', 1) }}
        ) as current_as_of_date
    from last_facts
    cross join last_requests
),

months_back as (
    select number from {{ number_series(1, var('martlet_as_of_months')) }}
),

-- The month that is running counts as a month back only when its first day is over.
month_starts as (
    select
        {{ date_add_months("date_trunc('month', " ~ date_add_days(
            'current_date_of_data.current_as_of_date', -1
        ) ~ ")", '1 - months_back.number') }} as as_of_date
    from current_date_of_data
    cross join months_back
    where current_date_of_data.current_as_of_date is not null
),

as_of_dates as (
    select
        as_of_date,
        false as is_current
    from month_starts
    union all
    select
        current_as_of_date as as_of_date,
        true as is_current
    from current_date_of_data
    where current_as_of_date is not null
)

select * from as_of_dates
