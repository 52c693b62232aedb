{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ forget_visitors_to_rebuild() }}"
) }}

-- depends_on: {{ ref('int_visitors__to_rebuild') }}
-- Two events of one bucket are never further apart than the timeout, so they are always in one session:
-- counting by bucket first leaves far fewer rows to put in order than there are events.
with events as (
    {{ events_to_add([
        'visitor_id',
        'event_at',
        'event_name',
        'page_path',
        'customer_id is not null as names_customer',
        'order_id',
        'value_amount',
        carries_campaign() ~ ' as carries_campaign',
        event_order_key('event_at', 'event_id') ~ ' as order_key',
    ]) }}
),

{{ bucketed_events('events') }},

buckets as (
    select
        visitor_id,
        {{ bucket_columns() | join(',\n        ') }},
        min(order_key) as first_key,
        max(order_key) as last_key,
        min(order_key) filter (where carries_campaign) as traffic_key,
        max(order_key) filter (where names_customer) as customer_key,
        {{ value_at_max('page_path', 'order_key') }} as last_page_path,
        count(*) as event_count,
        count(*) filter (where event_name = 'page_view') as page_view_count,
        count(*) filter (where event_name = 'view_item') as product_view_count,
        count(*) filter (where event_name = 'search') as search_count,
        count(*) filter (where event_name = 'add_to_wishlist') as wishlist_add_count,
        count(*) filter (where event_name = 'add_to_cart') as cart_add_count,
        count(*) filter (where event_name = 'remove_from_cart') as cart_remove_count,
        count(*) filter (where event_name = 'begin_checkout') as checkout_count,
        count(*) filter (where event_name = 'purchase') as purchase_count,
        max({{ funnel_step('event_name') }}) as funnel_step,
        sum(value_amount) filter (where event_name = 'purchase') as revenue_amount,
        {{ value_list("case when event_name = 'purchase' then order_id end") }} as order_ids
    from bucketed_events
    group by visitor_id, {{ bucket_columns() | join(', ') }}
),

final as (
    select
        visitor_id,
        bucket_start,
        {{ 'bucket_date' if 'bucket_date' in bucket_columns() else 'cast(null as date) as bucket_date' }},
        {{ 'split_key' if 'split_key' in bucket_columns() else no_order_key() ~ ' as split_key' }},
        first_key,
        last_key,
        traffic_key,
        customer_key,
        last_page_path,
        event_count,
        page_view_count,
        product_view_count,
        search_count,
        wishlist_add_count,
        cart_add_count,
        cart_remove_count,
        checkout_count,
        purchase_count,
        cast(funnel_step as integer) as funnel_step,
        cast(revenue_amount as decimal(18, 4)) as revenue_amount,
        order_ids,
        cast({{ latest_ingest_number(ref('shop_events')) }} as bigint) as ingest_number,
        '{{ session_settings() }}' as session_settings
    from buckets
)

select * from final
