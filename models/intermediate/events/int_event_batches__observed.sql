{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}

{%- set content = event_columns() | map(attribute='name') | reject('equalto', 'event_id') | list %}
{%- do content.append('source_key') %}
{%- do content.append('rejection_reason') %}

-- What each load held each time it looked different. Counted before shop_events reads it: rows that come
-- in between change the count again and are read by the next build.
with staged as (
    {{ staged_events() }}
),

batches as (
    select
        batch_id,
        count(*) as row_count,
        {{ row_checksum(content) }} as row_checksum
    from staged
    where batch_id is not null
    group by batch_id
)
{%- if is_incremental() %},

last_seen as (
    select
        connector,
        batch_id,
        row_count,
        row_checksum,
        row_number() over (partition by connector, batch_id order by ingest_number desc) as recency
    from {{ this }}
)
{%- endif %},

changed as (
    select
        '{{ connector_of_entity('events') }}' as connector,
        batches.batch_id,
        batches.row_count,
        batches.row_checksum,
        cast({{ latest_ingest_number(this) + 1 }} as bigint) as ingest_number
    from batches
    {%- if is_incremental() %}
    left join last_seen
        on batches.batch_id = last_seen.batch_id
        and last_seen.connector = '{{ connector_of_entity('events') }}'
        and last_seen.recency = 1
    where
        last_seen.batch_id is null
        or last_seen.row_count <> batches.row_count
        or coalesce(last_seen.row_checksum, 0) <> coalesce(batches.row_checksum, 0)
    {%- endif %}
)

select * from changed
