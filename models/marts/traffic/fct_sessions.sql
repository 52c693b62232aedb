{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='visitor_id',
    on_schema_change='fail'
) }}

with sessions as (
    select * from {{ ref('int_sessions__cut') }}
    {%- if is_incremental() %}
    where visitor_id in (
        select visitor_id
        from {{ ref('int_sessions__cut') }}
        where ingest_number > {{ latest_ingest_number(this) }}
    )
    {%- endif %}
),

{{ described_sessions() }},

crawlers as (
    select pattern, crawler_name, nullif(except_pattern, '') as except_pattern
    from {{ ref('crawler_user_agents') }}
),

user_agents as (
    select distinct user_agent, lower(user_agent) as lower_user_agent
    from described_sessions
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

judged as (
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
),

final as (
    select
        session_id,
        visitor_id,
        session_number,
        previous_session_id,
        session_started_at,
        session_ended_at,
        {{ local_date('session_started_at') }} as session_date,
        duration_seconds,
        start_reason,
        event_count,
        page_view_count,
        product_view_count,
        search_count,
        wishlist_add_count,
        cart_add_count,
        cart_remove_count,
        checkout_count,
        purchase_count,
        order_count,
        revenue_amount,
        funnel_step,
        landing_page_path,
        exit_page_path,
        traffic_source,
        traffic_medium,
        traffic_campaign,
        {{ channel_group('traffic_source', 'traffic_medium', 'traffic_campaign') }} as channel_group,
        device_category,
        operating_system,
        browser,
        country_code,
        {{ keyed_hash('ip_address') }} as ip_address_hash,
        customer_id_at_start,
        customer_id,
        bot_reason is not null as is_bot,
        bot_reason,
        crawler_name,
        quarantine_reason is not null as is_quarantined,
        quarantine_reason,
        ingest_number
    from judged
)

select * from final
