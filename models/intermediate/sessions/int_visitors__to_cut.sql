{%- set buckets = ref('int_session_buckets__counted') %}
{%- set cut = stored_session_model('int_sessions__cut') %}
{%- set cut_until = latest_ingest_number(buckets if sessions_are_cut_anew() else cut) %}

-- What comes before an event does not depend on it: a visitor is cut again from the session in
-- which, or after which, the first new bucket begins. Nobody is listed when all sessions are cut.
with new_buckets as (
    select
        visitor_id,
        min(first_key) as first_new_key
    from {{ buckets }}
    where ingest_number > {{ cut_until }}
    group by visitor_id
),

stored_sessions as (
    {{ stored_sessions() }}
),

sessions_before as (
    select
        stored_sessions.*,
        row_number() over (
            partition by stored_sessions.visitor_id order by stored_sessions.first_key desc
        ) as recency
    from stored_sessions
    inner join new_buckets on stored_sessions.visitor_id = new_buckets.visitor_id
    where stored_sessions.first_key < new_buckets.first_new_key
),

resumed as (
    select * from sessions_before where recency = 1
),

final as (
    select
        new_buckets.visitor_id,
        resumed.first_key as resume_key,
        coalesce(resumed.session_number, 1) as session_number,
        coalesce(resumed.start_reason, 'first') as start_reason,
        resumed.previous_session_id,
        resumed.customer_key_before,
        cast({{ latest_ingest_number(buckets) }} as bigint) as ingest_number
    from new_buckets
    left join resumed on new_buckets.visitor_id = resumed.visitor_id
)

select * from final
