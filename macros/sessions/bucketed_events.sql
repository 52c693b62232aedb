{# The events of some visitors, each with the bucket it is counted in. What makes a bucket depends on the
   rule: the time bucket alone, or also the local day and the campaign change the event follows.

   events: name of a CTE with visitor_id, event_at, order_key and whatever is to be counted. Renders CTEs
   that end with `bucketed_events`. #}
{% macro bucketed_events(events) -%}
{%- if var('martlet_session_rule') == 'ga360' -%}
campaign_changes as (
    select * from {{ ref('int_visitors__campaign_changes') }}
),

-- Only buckets in which a campaign changes have to be split.
split_buckets as (
    select distinct visitor_id, bucket_start from campaign_changes
),

split_events as (
    select
        {{ events }}.visitor_id,
        {{ bucket_start(events ~ '.event_at') }} as bucket_start,
        {{ events }}.order_key,
        {{ no_order_key() }} as change_key
    from {{ events }}
    inner join split_buckets
        on {{ events }}.visitor_id = split_buckets.visitor_id
        and {{ bucket_start(events ~ '.event_at') }} = split_buckets.bucket_start
    union all
    select visitor_id, bucket_start, change_key as order_key, change_key
    from campaign_changes
),

last_changes as (
    select
        order_key,
        change_key,
        max(change_key) over (
            partition by visitor_id, bucket_start
            order by order_key
            range between unbounded preceding and current row
        ) as split_key
    from split_events
),

event_splits as (
    select order_key, split_key from last_changes where change_key is null and split_key is not null
),

bucketed_events as (
    select
        {{ events }}.*,
        {{ bucket_start(events ~ '.event_at') }} as bucket_start,
        {{ local_date(events ~ '.event_at') }} as bucket_date,
        event_splits.split_key
    from {{ events }}
    left join event_splits on {{ events }}.order_key = event_splits.order_key
)
{%- else -%}
bucketed_events as (
    select
        {{ events }}.*,
        {{ bucket_start(events ~ '.event_at') }} as bucket_start
    from {{ events }}
)
{%- endif -%}
{%- endmacro %}
