{# The promise of the sessions: every event with a visitor is in exactly one. So are the purchases. #}
{% test sessions_add_up_to_events(model) %}

with in_sessions as (
    select
        coalesce(sum(event_count), 0) as event_count,
        coalesce(sum(revenue_amount), 0) as revenue_amount
    from {{ model }}
),

in_events as (
    select
        count(*) as event_count,
        coalesce(sum(case when event_name = 'purchase' then value_amount end), 0) as revenue_amount
    from {{ ref('shop_events') }}
    where visitor_id is not null
)

select
    in_sessions.event_count as events_in_sessions,
    in_events.event_count as events,
    in_sessions.revenue_amount as revenue_in_sessions,
    in_events.revenue_amount as revenue
from in_sessions
cross join in_events
where
    in_sessions.event_count <> in_events.event_count
    or in_sessions.revenue_amount <> in_events.revenue_amount

{% endtest %}
