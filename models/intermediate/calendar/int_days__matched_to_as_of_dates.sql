with

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

orders as (
    select * from {{ ref('int_orders__classified') }}
),

returns as (
    select * from {{ ref('int_returns__enriched') }}
),

days as (
    select order_date as calendar_date
    from orders
    union
    select cancelled_date as calendar_date
    from orders
    union
    select known_from_date as calendar_date
    from returns
),

matched as (
    select
        days.calendar_date,
        min(as_of_dates.as_of_date) as first_as_of_date
    from days
    -- A day is known only when it is over.
    inner join as_of_dates on days.calendar_date < as_of_dates.as_of_date
    group by days.calendar_date
)

select * from matched
