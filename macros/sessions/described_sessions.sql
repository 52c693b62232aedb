{# Renders CTEs that join to the sessions of a CTE called `sessions` what their first event, their first
   campaign and the last event that named a customer say; they end with `described_sessions`. #}
{% macro described_sessions() -%}
{%- set device_columns = ['device_category', 'operating_system', 'browser', 'country_code', 'user_agent'] -%}
{%- if is_incremental() -%}
-- Read once for all the joins: there are few of them, in a table of all the past.
touched_events as (
    select * from {{ ref('int_events__marking_sessions') }}
    where order_key in (
        select first_key as order_key from sessions
        union all
        select traffic_key as order_key from sessions
        union all
        select customer_key_before as order_key from sessions
        union all
        select customer_key_until_end as order_key from sessions
    )
),

{% endif -%}
first_events as (
    select
        order_key,
        customer_id,
        page_path,
        ip_address,
        {{ hash_number(device_columns) }} as device_key,
        {{ hash_number(device_columns | reverse | list) }} as device_check
    from {{ _marking_events() }}
),

-- Few devices open many sessions: two numbers stand for the long texts that tell them apart, so that the sessions
-- meet their first events in memory instead of on disk.
seen_devices as (
    select
        {{ hash_number(device_columns) }} as device_key,
        {{ hash_number(device_columns | reverse | list) }} as device_check,
        {{ device_columns | join(',\n        ') }}
    from {{ _marking_events() }}
),

devices as (
    select
        device_key,
        device_check
        {%- for column in device_columns %},
        min({{ column }}) as {{ column }}
        {%- endfor %}
    from seen_devices
    group by device_key, device_check
),

campaign_events as (
    select order_key, traffic_source, traffic_medium, traffic_campaign
    from {{ _marking_events() }}
    where {{ carries_campaign() }}
),

customer_events as (
    select order_key, customer_id
    from {{ _marking_events() }}
    where customer_id is not null
),

described_sessions as (
    select
        sessions.session_id,
        sessions.visitor_id,
        sessions.session_number,
        sessions.previous_session_id,
        sessions.session_started_at,
        sessions.session_ended_at,
        sessions.start_reason,
        sessions.event_count,
        sessions.page_view_count,
        sessions.product_view_count,
        sessions.search_count,
        sessions.wishlist_add_count,
        sessions.cart_add_count,
        sessions.cart_remove_count,
        sessions.checkout_count,
        sessions.purchase_count,
        sessions.funnel_step,
        sessions.revenue_amount,
        sessions.order_count,
        first_events.page_path as landing_page_path,
        sessions.exit_page_path,
        campaign_events.traffic_source,
        campaign_events.traffic_medium,
        campaign_events.traffic_campaign,
        devices.device_category,
        devices.operating_system,
        devices.browser,
        devices.country_code,
        first_events.ip_address,
        devices.user_agent,
        coalesce(first_events.customer_id, known_before.customer_id) as customer_id_at_start,
        known_until_end.customer_id,
        sessions.ingest_number
    from sessions
    inner join first_events on sessions.first_key = first_events.order_key
    left join campaign_events on sessions.traffic_key = campaign_events.order_key
    left join customer_events as known_before
        on sessions.customer_key_before = known_before.order_key
    left join customer_events as known_until_end
        on sessions.customer_key_until_end = known_until_end.order_key
    left join devices
        on first_events.device_key = devices.device_key
        and first_events.device_check = devices.device_check
)
{%- endmacro %}

{% macro _marking_events() -%}
    {{ 'touched_events' if is_incremental() else ref('int_events__marking_sessions') }}
{%- endmacro %}
