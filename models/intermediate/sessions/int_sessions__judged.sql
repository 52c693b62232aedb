{{ config(materialized='view') }}

with sessions as (
    select * from {{ ref('int_sessions__cut') }}
),

{{ described_sessions() }},

{{ judged_sessions() }},

final as (
    select
        session_id,
        visitor_id,
        customer_id,
        session_started_at,
        session_ended_at,
        duration_seconds,
        event_count,
        page_view_count,
        funnel_step,
        {{ channel_group('traffic_source', 'traffic_medium', 'traffic_campaign') }} as channel_group,
        device_category,
        bot_reason is not null as is_bot,
        quarantine_reason is not null as is_quarantined
    from judged_sessions
)

select * from final
