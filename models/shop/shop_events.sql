{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert' if target.type == 'duckdb'
        else 'merge' if env_var('MARTLET_SPARK_FORMAT', 'delta') == 'delta' else 'append',
    unique_key='event_id',
    on_schema_change='fail'
) }}

{%- set columns = event_columns() %}
{%- set content = columns | map(attribute='name') | reject('equalto', 'event_id') | list %}
{%- set winner_content = [] %}
{%- for name in content %}{% do winner_content.append('winners.' ~ name) %}{% endfor %}
{%- set stored_until = latest_ingest_number(this) if is_incremental() else 0 %}

with observed as (
    select * from {{ ref('int_event_batches__observed') }}
),

staged as (
    {{ staged_events() }}
),

build as (
    select coalesce(max(ingest_number), 1) as ingest_number from observed
),
{% if is_incremental() %}
-- The ledger, not a time, says what to read: loads that are late, replayed or out of order are just loads.
batches_to_read as (
    select distinct batch_id from observed where ingest_number > {{ stored_until }}
),

rewritten_batches as (
    select distinct batches_to_read.batch_id
    from batches_to_read
    inner join observed
        on batches_to_read.batch_id = observed.batch_id
        and observed.ingest_number <= {{ stored_until }}
),

-- What a rewritten load said before is void; its events are elected again among all loads.
voided as (
    select stored.event_id
    from {{ this }} as stored
    inner join rewritten_batches on stored.batch_id = rewritten_batches.batch_id
),

read_events as (
    select staged.*
    from staged
    inner join batches_to_read on staged.batch_id = batches_to_read.batch_id
    where staged.rejection_reason is null
    union all
    select staged.*
    from staged
    inner join voided on staged.event_id = voided.event_id
    left join batches_to_read on staged.batch_id = batches_to_read.batch_id
    where staged.rejection_reason is null and batches_to_read.batch_id is null
),
{%- else %}
read_events as (
    select * from staged where rejection_reason is null
),
{%- endif %}

typed as (
    select
        {%- for column in columns %}
        cast({{ column.name }} as {{ column.type }}) as {{ column.name }},
        {%- endfor %}
        cast(batch_id as {{ type_string() }}) as batch_id
    from read_events
),

-- Few events come twice: only those are ranked, the others pass.
repeated_ids as (
    select event_id from typed group by event_id having count(*) > 1
),

ranked as (
    select
        typed.*,
        row_number() over (
            partition by typed.event_id
            order by typed.received_at, {{ hash_text(content) }}, typed.batch_id
        ) as version_rank
    from typed
    inner join repeated_ids on typed.event_id = repeated_ids.event_id
),

winners as (
    select
        {%- for column in columns %}
        {{ column.name }},
        {%- endfor %}
        batch_id
    from ranked
    where version_rank = 1
    union all
    select typed.*
    from typed
    left join repeated_ids on typed.event_id = repeated_ids.event_id
    where repeated_ids.event_id is null
),
{% if is_incremental() %}
stored as (
    select
        stored.event_id,
        stored.received_at,
        stored.event_version,
        stored.batch_id,
        {{ hash_text(content) }} as content_hash
    from {{ this }} as stored
    where stored.event_id in (select event_id from winners)
),

compared as (
    select
        winners.*,
        stored.event_id as stored_event_id,
        stored.received_at as stored_received_at,
        stored.event_version as stored_event_version,
        stored.content_hash as stored_content_hash,
        rewritten_batches.batch_id as rewritten_batch_id,
        case when stored.event_id is not null then {{ hash_text(winner_content) }} end as content_hash
    from winners
    left join stored on winners.event_id = stored.event_id
    left join rewritten_batches on stored.batch_id = rewritten_batches.batch_id
),

arrivals as (
    select
        compared.*,
        coalesce(stored_event_version, 0) + 1 as event_version
    from compared
    where
        stored_event_id is null
        or (rewritten_batch_id is not null and content_hash <> stored_content_hash)
        or received_at < stored_received_at
        or (received_at = stored_received_at and content_hash < stored_content_hash)
),
{%- else %}
arrivals as (
    select winners.*, 1 as event_version from winners
),
{%- endif %}

final as (
    select
        {%- for column in columns %}
        arrivals.{{ column.name }},
        {%- endfor %}
        arrivals.batch_id,
        cast(build.ingest_number as bigint) as ingest_number,
        cast(arrivals.event_version as integer) as event_version
    from arrivals
    cross join build
)

select * from final
