{# Renders CTEs that add to `described_sessions` how long each session took, whether a program made it, and
   whether it is a runaway; they end with `judged_sessions`. User agents are read apart: read twice, all of
   described_sessions would be kept in memory. #}
{% macro judged_sessions() -%}
crawlers as (
    select pattern, crawler_name, nullif(except_pattern, '') as except_pattern
    from {{ ref('crawler_user_agents') }}
),

user_agents as (
    select distinct user_agent, lower(left(user_agent, 500)) as lower_user_agent
    from devices
    where user_agent is not null
),

-- A pattern may stand in names that are no crawler's, such as the phone maker Cubot for "bot".
known_crawlers as (
    select
        user_agents.user_agent,
        min(crawlers.crawler_name) as crawler_name
    from user_agents
    inner join crawlers
        on contains(user_agents.lower_user_agent, crawlers.pattern)
    where
        crawlers.except_pattern is null
        or not contains(user_agents.lower_user_agent, crawlers.except_pattern)
    group by user_agents.user_agent
),

measured as (
    select
        described_sessions.*,
        {{ seconds_between('session_started_at', 'session_ended_at') }} as duration_seconds
    from described_sessions
),

judged_sessions as (
    select
        measured.*,
        case
            when known_crawlers.user_agent is not null then 'user_agent'
            else {{ bot_behaviour('page_view_count + product_view_count', 'duration_seconds') }}
        end as bot_reason,
        known_crawlers.crawler_name,
        {{ quarantine_reason('event_count', 'duration_seconds') }} as quarantine_reason
    from measured
    left join known_crawlers on measured.user_agent = known_crawlers.user_agent
)
{%- endmacro %}
