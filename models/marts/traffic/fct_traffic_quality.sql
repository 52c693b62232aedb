with

sessions as (
    select * from {{ ref('fct_sessions') }}
),

grouped as (
    select
        session_date,
        channel_group,
        coalesce(traffic_source, '(none)') as traffic_source,
        count(*) as session_count,
        sum(case when is_bot then 0 else 1 end) as human_session_count,
        sum(case when bot_reason = 'user_agent' then 1 else 0 end) as declared_bot_session_count,
        sum(case when bot_reason = 'too_fast' then 1 else 0 end) as fast_bot_session_count,
        sum(case when is_quarantined then 1 else 0 end) as quarantined_session_count,
        sum(case when event_count = 1 then 1 else 0 end) as one_event_session_count,
        count(distinct case when not is_bot then visitor_id end) as human_visitor_count,
        sum(case when not is_bot and order_count > 0 then 1 else 0 end) as buying_session_count,
        sum(case when is_bot then 0 else revenue_amount end) as human_revenue_amount
    from sessions
    group by session_date, channel_group, coalesce(traffic_source, '(none)')
),

final as (
    select
        session_date,
        channel_group,
        traffic_source,
        session_count,
        cast(human_session_count as bigint) as human_session_count,
        cast(declared_bot_session_count as bigint) as declared_bot_session_count,
        cast(fast_bot_session_count as bigint) as fast_bot_session_count,
        cast(quarantined_session_count as bigint) as quarantined_session_count,
        human_visitor_count,
        cast(buying_session_count as bigint) as buying_session_count,
        cast(human_revenue_amount as decimal(18, 4)) as human_revenue_amount,
        cast(human_session_count as double) / session_count as human_share,
        cast(one_event_session_count as double) / session_count as one_event_share,
        cast(buying_session_count as double)
        / nullif(human_session_count, 0) as human_conversion_rate,
        cast(human_revenue_amount as double)
        / nullif(human_session_count, 0) as revenue_per_human_session
    from grouped
)

select * from final
