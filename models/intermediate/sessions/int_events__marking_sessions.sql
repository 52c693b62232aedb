{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ forget_visitors_to_rebuild() }}"
) }}

-- depends_on: {{ ref('int_visitors__to_rebuild') }}
-- What these events say is fetched by their key: carried through the aggregation to buckets, the same columns
-- cost three times the time and the memory.
with buckets as (
    select first_key, traffic_key, customer_key
    from {{ ref('int_session_buckets__counted') }}
    {%- if is_incremental() %}
    where ingest_number > {{ latest_ingest_number(this) }}
    {%- endif %}
),

marks as (
    select first_key as order_key from buckets
    union all
    select traffic_key as order_key from buckets where traffic_key <> first_key
    union all
    select customer_key as order_key from buckets where customer_key <> first_key
),

events as (
    {{ events_to_add([
        event_order_key('event_at', 'event_id') ~ ' as order_key',
        'visitor_id',
        'customer_id',
        'page_path',
        'traffic_source',
        'traffic_medium',
        'traffic_campaign',
        'device_category',
        'operating_system',
        'browser',
        'country_code',
        'ip_address',
        'user_agent',
    ]) }}
),

final as (
    select
        events.*,
        cast({{ latest_ingest_number(ref('shop_events')) }} as bigint) as ingest_number
    from events
    where order_key in (select order_key from marks)
)

select * from final
