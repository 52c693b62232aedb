{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ forget_sessions_cut_again() }}"
) }}

with sessions as (
    select * from {{ ref('int_sessions__cut') }}
    {%- if is_incremental() %}
    where ingest_number > {{ latest_ingest_number(this) }}
    {%- endif %}
),

{{ described_sessions() }},

{{ judged_sessions() }},

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
        {{ without_emails('landing_page_path') }} as landing_page_path,
        {{ without_emails('exit_page_path') }} as exit_page_path,
        {{ without_emails('traffic_source') }} as traffic_source,
        {{ without_emails('traffic_medium') }} as traffic_medium,
        {{ without_emails('traffic_campaign') }} as traffic_campaign,
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
    from judged_sessions
)

select * from final
