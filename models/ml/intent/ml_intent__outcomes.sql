with

sessions as (
    select * from {{ ref('int_sessions__cut') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
    where is_current
),

-- A session is over when the timeout has passed without an event: only then is its end known.
outcomes as (
    select
        sessions.session_id,
        as_of_dates.as_of_date,
        sessions.visitor_id,
        {{ local_date('sessions.session_started_at') }} as session_date,
        sessions.event_count as session_event_count,
        sessions.purchase_count > 0 as has_bought,
        case when sessions.purchase_count > 0 then cast(sessions.revenue_amount as double) end
            as order_amount
    from sessions
    cross join as_of_dates
    where
        {{ seconds_between(
            local_timestamp('sessions.session_ended_at'),
            'cast(as_of_dates.as_of_date as timestamp)'
        ) }} > {{ var('martlet_session_timeout_minutes') }} * 60
)

select * from outcomes
