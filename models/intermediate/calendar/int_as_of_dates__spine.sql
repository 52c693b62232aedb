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

facts_by_day as (
    {% for relation, moment in [
        ('orders', 'ordered_at'),
        ('orders', 'cancelled_at'),
        ('returns', 'returned_at'),
        ('events', 'event_at'),
    ] %}
        select
            cast({{ moment }} as date) as fact_day,
            max({{ moment }}) as last_fact_at
        from {{ relation }}
        where {{ moment }} is not null
        group by cast({{ moment }} as date)
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

days_with_facts as (
    select
        fact_day,
        max(last_fact_at) as last_fact_at
    from facts_by_day
    group by fact_day
),

with_silence as (
    select
        fact_day,
        last_fact_at,
        {{ days_between('lag(fact_day) over (order by fact_day)', 'fact_day') }} as days_of_silence
    from days_with_facts
),

-- A year of silence ends a stretch of days.
numbered_days as (
    select
        last_fact_at,
        sum(case when days_of_silence > 366 then 1 else 0 end) over (
            order by fact_day rows between unbounded preceding and current row
        ) as stretch
    from with_silence
),

stretches as (
    select
        stretch,
        max(last_fact_at) as last_fact_at,
        count(*) as day_count
    from numbered_days
    group by stretch
),

with_days_so_far as (
    select
        last_fact_at,
        day_count,
        sum(day_count) over (
            order by stretch rows between unbounded preceding and current row
        ) as days_so_far
    from stretches
),

-- A few days in a later year than all others are slips of the pen: one order dated 2088 would make
-- every customer a lost one.
last_facts as (
    select {{ local_date('max(last_fact_at)') }} as last_date
    from with_days_so_far
    where 50 * day_count > days_so_far - day_count
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
            {{ date_add_days('last_facts.last_date', 1) }},
            {{ date_add_days('last_requests.last_date', 1) }}
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
