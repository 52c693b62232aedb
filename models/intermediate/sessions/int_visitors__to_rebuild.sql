{%- set buckets = stored_session_model('int_session_buckets__counted') %}
{%- set processed_until = [
    latest_ingest_number(buckets),
    latest_ingest_number(stored_session_model('int_events__marking_sessions'))
] | min %}
{%- if var('martlet_session_rule') == 'ga360' %}
-- depends_on: {{ ref('int_visitors__campaign_changes') }}
{%- endif %}

-- Buckets only grow. A visitor whose stored buckets would have to shrink or split is counted again.
with new_events as (
    select
        visitor_id,
        event_version
    from {{ ref('shop_events') }}
    where ingest_number > {{ processed_until }} and visitor_id is not null
),

replaced as (
    select distinct visitor_id from new_events
    where event_version > 1
)
{%- if processed_until > 0 and var('martlet_session_rule') == 'ga360' %},

new_visitors as (
    select distinct visitor_id from new_events
),

stored as (
    select distinct buckets.visitor_id, buckets.bucket_start, buckets.split_key
    from {{ buckets }} as buckets
    inner join new_visitors on buckets.visitor_id = new_visitors.visitor_id
),

stored_buckets as (
    select distinct visitor_id, bucket_start from stored
),

expected as (
    select changes.visitor_id, changes.bucket_start, changes.change_key
    from {{ ref('int_visitors__campaign_changes') }} as changes
    inner join stored_buckets
        on changes.visitor_id = stored_buckets.visitor_id
        and changes.bucket_start = stored_buckets.bucket_start
),

split_otherwise as (
    select stored.visitor_id
    from stored
    left join expected
        on stored.visitor_id = expected.visitor_id and stored.split_key = expected.change_key
    where stored.split_key is not null and expected.visitor_id is null
    union all
    select expected.visitor_id
    from expected
    left join stored
        on expected.visitor_id = stored.visitor_id and expected.change_key = stored.split_key
    where stored.visitor_id is null
)
{%- endif %},

visitors as (
    select visitor_id from replaced
    {%- if processed_until > 0 and var('martlet_session_rule') == 'ga360' %}
    union
    select visitor_id from split_otherwise
    {%- endif %}
)

select * from visitors
