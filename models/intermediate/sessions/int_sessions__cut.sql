{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='visitor_id',
    on_schema_change='fail'
) }}

{%- set counts = [
    'event_count', 'page_view_count', 'product_view_count', 'search_count', 'wishlist_add_count',
    'cart_add_count', 'cart_remove_count', 'checkout_count', 'purchase_count'
] %}
-- A visitor with a new bucket is cut again from the first bucket on: an event that comes late may join two
-- sessions, move a start or tell who the visitor was.
with bucket_keys as (
    select visitor_id, bucket_start, bucket_date, split_key, first_key, last_key, customer_key
    from {{ ref('int_session_buckets') }}
    {{ visitors_with_new_buckets() }}
),

bucket_rows as (
    select * from {{ ref('int_session_buckets') }}
    {{ visitors_with_new_buckets() }}
),

other_bucket_rows as (
    select * from {{ ref('int_session_buckets') }}
    {{ visitors_with_new_buckets() }}
),

-- Only keys are put in order; what the buckets count joins in afterwards.
ordered as (
    select
        visitor_id,
        bucket_start,
        bucket_date,
        split_key,
        first_key,
        customer_key,
        lag(bucket_start) over (partition by visitor_id order by first_key) as previous_bucket_start,
        lag(bucket_date) over (partition by visitor_id order by first_key) as previous_bucket_date,
        lag(split_key) over (partition by visitor_id order by first_key) as previous_split_key,
        max(last_key) over (
            partition by visitor_id order by first_key
            rows between unbounded preceding and 1 preceding
        ) as previous_key,
        max(customer_key) over (
            partition by visitor_id order by first_key
            rows between unbounded preceding and 1 preceding
        ) as customer_key_before
    from bucket_keys
),

marked as (
    select
        visitor_id,
        first_key,
        customer_key,
        customer_key_before,
        case
            when previous_key is null then 'first'
            when
                previous_bucket_start = bucket_start
                and previous_bucket_date is not distinct from bucket_date
                and previous_split_key is not distinct from split_key
                then null
            when
                {{ order_key_microseconds('first_key') }} - {{ order_key_microseconds('previous_key') }}
                > {{ session_timeout_microseconds() }}
                then 'timeout'
            when previous_bucket_date <> bucket_date then 'midnight'
            when split_key is not null then 'campaign'
        end as start_reason
    from ordered
),

numbered as (
    select
        visitor_id,
        first_key,
        customer_key,
        customer_key_before,
        start_reason,
        count(start_reason) over (
            partition by visitor_id order by first_key
            rows between unbounded preceding and current row
        ) as session_number,
        max(case when start_reason is not null then first_key end) over (
            partition by visitor_id order by first_key
            rows between unbounded preceding and 1 preceding
        ) as previous_session_key,
        lead(case when start_reason is null then 1 else 0 end, 1, 0) over (
            partition by visitor_id order by first_key
        ) as goes_on
    from marked
),

-- Nine sessions in ten lie in one bucket and are its row as it stands.
short_sessions as (
    select
        numbered.visitor_id,
        numbered.session_number,
        numbered.start_reason,
        numbered.previous_session_key,
        numbered.customer_key_before,
        numbered.first_key,
        bucket_rows.last_key,
        bucket_rows.traffic_key,
        numbered.customer_key,
        {%- for column in counts %}
        bucket_rows.{{ column }},
        {%- endfor %}
        bucket_rows.funnel_step,
        bucket_rows.revenue_amount,
        bucket_rows.order_ids,
        bucket_rows.last_page_path,
        bucket_rows.ingest_number
    from bucket_rows
    inner join numbered on bucket_rows.first_key = numbered.first_key
    where numbered.start_reason is not null and numbered.goes_on = 0
),

long_sessions as (
    select
        numbered.visitor_id,
        numbered.session_number,
        max(numbered.start_reason) as start_reason,
        max(case when numbered.start_reason is not null then numbered.previous_session_key end)
            as previous_session_key,
        max(case when numbered.start_reason is not null then numbered.customer_key_before end)
            as customer_key_before,
        min(numbered.first_key) as first_key,
        max(other_bucket_rows.last_key) as last_key,
        min(other_bucket_rows.traffic_key) as traffic_key,
        max(numbered.customer_key) as customer_key,
        {%- for column in counts %}
        cast(sum(other_bucket_rows.{{ column }}) as bigint) as {{ column }},
        {%- endfor %}
        max(other_bucket_rows.funnel_step) as funnel_step,
        cast(sum(other_bucket_rows.revenue_amount) as decimal(18, 4)) as revenue_amount,
        {{ flattened_list('other_bucket_rows.order_ids') }} as order_ids,
        {{ value_at_max('other_bucket_rows.last_page_path', 'other_bucket_rows.last_key') }}
            as last_page_path,
        max(other_bucket_rows.ingest_number) as ingest_number
    from other_bucket_rows
    inner join numbered on other_bucket_rows.first_key = numbered.first_key
    where numbered.start_reason is null or numbered.goes_on = 1
    group by numbered.visitor_id, numbered.session_number
),

sessions as (
    select * from short_sessions
    union all
    select * from long_sessions
),

final as (
    select
        {{ session_key('first_key') }} as session_id,
        visitor_id,
        session_number,
        {{ session_key('previous_session_key') }} as previous_session_id,
        {{ timestamp_from_microseconds(order_key_microseconds('first_key')) }} as session_started_at,
        {{ timestamp_from_microseconds(order_key_microseconds('last_key')) }} as session_ended_at,
        start_reason,
        {%- for column in counts %}
        {{ column }},
        {%- endfor %}
        funnel_step,
        coalesce(revenue_amount, 0) as revenue_amount,
        {{ distinct_list_count('order_ids') }} as order_count,
        last_page_path as exit_page_path,
        first_key,
        traffic_key,
        customer_key_before,
        coalesce(customer_key, customer_key_before) as customer_key_until_end,
        ingest_number
    from sessions
)

select * from final
