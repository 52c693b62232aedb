{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ forget_sessions_cut_again() }}"
) }}

{%- set meta = config.get('meta') or {} %}
{%- set event_numbers = meta.get('event_numbers', [1, 2, 3, 5, 8, 13, 21]) %}
{%- set second_marks = meta.get('second_marks', [60, 300]) %}

with

cut_sessions as (
    select * from {{ ref('int_sessions__cut') }}
),

judged_sessions as (
    select * from {{ ref('int_sessions__judged') }}
),

products as (
    select * from {{ ref('shop_products') }}
),

-- What the visitor did in earlier sessions; of this one, nothing.
remembered as (
    select
        session_id,
        first_key,
        traffic_key,
        visitor_id,
        session_number,
        session_started_at,
        customer_key_before is not null as is_known_at_start,
        ingest_number,
        session_number - 1 as earlier_session_count,
        coalesce(
            sum(case when purchase_count > 0 then 1 else 0 end) over earlier_sessions, 0
        ) as earlier_buying_session_count,
        max(session_ended_at) over earlier_sessions as last_session_ended_at,
        max(case when purchase_count > 0 then session_ended_at end) over earlier_sessions
            as last_purchase_at,
        coalesce(max(funnel_step) over (
            partition by visitor_id order by session_number
            rows between 1 preceding and 1 preceding
        ), 0) as last_session_funnel_step
    from cut_sessions
    window earlier_sessions as (
        partition by visitor_id order by session_number
        rows between unbounded preceding and 1 preceding
    )
),

sessions as (
    select
        remembered.*,
        coalesce(judged_sessions.device_category, 'unknown') as device_category,
        judged_sessions.channel_group
    from remembered
    inner join judged_sessions on remembered.session_id = judged_sessions.session_id
    where
        not judged_sessions.is_bot
        and not judged_sessions.is_quarantined
        {%- if is_incremental() %}
        and remembered.ingest_number > {{ latest_ingest_number(this) }}
        {%- endif %}
),

{{ session_event_steps() }},

-- A moment is an event, or a time on the clock of a visit that may be over: nobody knows that yet.
event_moments as (
    select
        running.*,
        'event' as moment_kind,
        running.event_count as moment_number,
        running.event_at as moment_at
    from running
    where running.event_count in ({{ event_numbers | join(', ') }})
),

clock as (
    {%- for mark in second_marks %}
    select {{ mark }} as second_mark
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

clock_moments as (
    select
        running.*,
        'second' as moment_kind,
        clock.second_mark as moment_number,
        {{ timestamp_from_microseconds(
            epoch_microseconds('running.session_started_at')
            ~ ' + cast(clock.second_mark as bigint) * 1000000'
        ) }} as moment_at
    from running
    inner join clock
        on running.seconds_since_start < clock.second_mark
        and (
            running.next_seconds_since_start > clock.second_mark
            or running.next_seconds_since_start is null
        )
    where
        clock.second_mark - running.seconds_since_start
        < {{ var('martlet_session_timeout_minutes') }} * 60
),

moments as (
    select * from event_moments
    union all
    select * from clock_moments
),

features as (
    select
        sessions.session_id,
        moments.moment_kind,
        cast(moments.moment_number as bigint) as moment_number,
        moments.moment_at,
        {{ local_date('moments.moment_at') }} as as_of_date,
        sessions.visitor_id,
        sessions.session_number,
        {{ intent_features('moments', 'sessions') }},
        sessions.ingest_number
    from moments
    inner join sessions on moments.first_key = sessions.first_key
    -- Who has bought is not asked any more.
    where moments.purchase_count = 0
)

select * from features
