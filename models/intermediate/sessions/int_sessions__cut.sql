{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ forget_sessions_to_cut() }}"
) }}

{%- set measures = [
    'first_key', 'last_key', 'traffic_key', 'last_page_path', 'funnel_step', 'revenue_amount', 'order_ids',
    'event_count', 'page_view_count', 'product_view_count', 'search_count', 'wishlist_add_count',
    'cart_add_count', 'cart_remove_count', 'checkout_count', 'purchase_count'
] %}

-- Not read here, but each of the two wants all the memory: they run one after the other.
-- depends_on: {{ ref('int_events__marking_sessions') }}
with visitors as (
    select * from {{ ref('int_visitors__to_cut') }}
),

build as (
    select max(ingest_number) as ingest_number from {{ ref('int_session_buckets__counted') }}
),
{{ touched_buckets() }}

bucket_keys as (
    {{ buckets_to_cut([
        'visitor_id', 'bucket_start', 'bucket_date', 'split_key', 'first_key', 'last_key', 'customer_key',
    ]) }}
),

-- Each step reads the buckets for itself: as one CTE all of them would be kept in memory.
bucket_rows as (
    {{ buckets_to_cut(measures) }}
),

long_bucket_rows as (
    {{ buckets_to_cut(measures) }}
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
        lag(bucket_start) over visitor_history as previous_bucket_start,
        lag(bucket_date) over visitor_history as previous_bucket_date,
        lag(split_key) over visitor_history as previous_split_key,
        max(last_key) over (
            partition by visitor_id order by first_key
            rows between unbounded preceding and 1 preceding
        ) as previous_key,
        max(customer_key) over (
            partition by visitor_id order by first_key
            rows between unbounded preceding and 1 preceding
        ) as customer_key_before
    from bucket_keys
    window visitor_history as (partition by visitor_id order by first_key)
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
                and not (previous_bucket_date is distinct from bucket_date)
                and not (previous_split_key is distinct from split_key)
                then null
            when
                {{ order_key_microseconds('first_key') }}
                - {{ order_key_microseconds('previous_key') }}
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
        bucket_rows.event_count,
        bucket_rows.page_view_count,
        bucket_rows.product_view_count,
        bucket_rows.search_count,
        bucket_rows.wishlist_add_count,
        bucket_rows.cart_add_count,
        bucket_rows.cart_remove_count,
        bucket_rows.checkout_count,
        bucket_rows.purchase_count,
        bucket_rows.funnel_step,
        bucket_rows.revenue_amount,
        bucket_rows.order_ids,
        bucket_rows.last_page_path
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
        max(long_bucket_rows.last_key) as last_key,
        min(long_bucket_rows.traffic_key) as traffic_key,
        max(numbered.customer_key) as customer_key,
        cast(sum(long_bucket_rows.event_count) as bigint) as event_count,
        cast(sum(long_bucket_rows.page_view_count) as bigint) as page_view_count,
        cast(sum(long_bucket_rows.product_view_count) as bigint) as product_view_count,
        cast(sum(long_bucket_rows.search_count) as bigint) as search_count,
        cast(sum(long_bucket_rows.wishlist_add_count) as bigint) as wishlist_add_count,
        cast(sum(long_bucket_rows.cart_add_count) as bigint) as cart_add_count,
        cast(sum(long_bucket_rows.cart_remove_count) as bigint) as cart_remove_count,
        cast(sum(long_bucket_rows.checkout_count) as bigint) as checkout_count,
        cast(sum(long_bucket_rows.purchase_count) as bigint) as purchase_count,
        max(long_bucket_rows.funnel_step) as funnel_step,
        cast(sum(long_bucket_rows.revenue_amount) as decimal(18, 4)) as revenue_amount,
        {{ flattened_list('long_bucket_rows.order_ids') }} as order_ids,
        {{ value_at_max('long_bucket_rows.last_page_path', 'long_bucket_rows.last_key') }}
            as last_page_path
    from long_bucket_rows
    inner join numbered on long_bucket_rows.first_key = numbered.first_key
    where numbered.start_reason is null or numbered.goes_on = 1
    group by numbered.visitor_id, numbered.session_number
),

sessions as (
    select * from short_sessions
    union all
    select * from long_sessions
),

-- The first session of a visitor who was cut before is the one that was stored: what was known at
-- its start still holds.
counted_on as (
    select
        sessions.*,
        coalesce(visitors.session_number, 1) as resumed_number,
        case when sessions.session_number = 1 then visitors.start_reason end as resumed_reason,
        case when sessions.session_number = 1 then visitors.previous_session_id end
            as resumed_previous_id,
        visitors.customer_key_before as resumed_customer_key,
        coalesce(visitors.ingest_number, build.ingest_number) as ingest_number
    from sessions
    left join visitors on sessions.visitor_id = visitors.visitor_id
    cross join build
),

final as (
    select
        {{ session_key('first_key') }} as session_id,
        visitor_id,
        session_number + resumed_number - 1 as session_number,
        coalesce({{ session_key('previous_session_key') }}, resumed_previous_id)
            as previous_session_id,
        {{ timestamp_from_microseconds(order_key_microseconds('first_key')) }}
            as session_started_at,
        {{ timestamp_from_microseconds(order_key_microseconds('last_key')) }}
            as session_ended_at,
        coalesce(resumed_reason, start_reason) as start_reason,
        event_count,
        page_view_count,
        product_view_count,
        search_count,
        wishlist_add_count,
        cart_add_count,
        cart_remove_count,
        checkout_count,
        purchase_count,
        funnel_step,
        coalesce(revenue_amount, 0) as revenue_amount,
        {{ distinct_list_count('order_ids') }} as order_count,
        last_page_path as exit_page_path,
        first_key,
        traffic_key,
        coalesce(customer_key_before, resumed_customer_key) as customer_key_before,
        coalesce(customer_key, customer_key_before, resumed_customer_key) as customer_key_until_end,
        ingest_number
    from counted_on
)

select * from final
