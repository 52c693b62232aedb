-- The campaign a visitor came with lasts until an event carries another one, however many sessions
-- later.
with campaign_events as (
    select
        visitor_id,
        event_at,
        traffic_source,
        traffic_medium,
        traffic_campaign,
        {{ event_order_key('event_at', 'event_id') }} as order_key
    from {{ ref('shop_events') }}
    where visitor_id is not null and {{ carries_campaign() }}
),

with_previous as (
    select
        visitor_id,
        event_at,
        order_key,
        traffic_source,
        traffic_medium,
        traffic_campaign,
        lag(order_key) over visitor_history as previous_key,
        lag(traffic_source) over visitor_history as previous_source,
        lag(traffic_medium) over visitor_history as previous_medium,
        lag(traffic_campaign) over visitor_history as previous_campaign
    from campaign_events
    window visitor_history as (partition by visitor_id order by order_key)
),

changes as (
    select
        visitor_id,
        order_key as change_key,
        {{ bucket_start('event_at') }} as bucket_start
    from with_previous
    where
        previous_key is null
        or traffic_source is distinct from previous_source
        or traffic_medium is distinct from previous_medium
        or traffic_campaign is distinct from previous_campaign
)

select * from changes
