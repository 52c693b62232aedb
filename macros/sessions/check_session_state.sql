{# One clear error when what is stored cannot be carried on by this build: other session settings, another
   source of events, or a shop_events that was made anew without the sessions. #}
{% macro check_session_state() -%}
    {%- do session_settings() -%}
    {%- if execute and not flags.FULL_REFRESH -%}
        {%- set buckets = _stored(stored_session_model('int_session_buckets__counted')) -%}
        {%- set batches = _stored(stored_session_model('int_event_batches__observed')) -%}
        {%- set events = _stored(_stored_model('shop_events', 'shop')) -%}
        {%- if buckets -%}
            {%- for row in run_query('select distinct session_settings from ' ~ buckets).rows
                if row[0] != session_settings() -%}
                {%- do _state_error(
                    "the stored sessions were cut with " ~ row[0] ~ ", this build has " ~ session_settings()
                ) -%}
            {%- endfor -%}
        {%- endif -%}
        {%- if batches -%}
            {%- for row in run_query('select distinct connector from ' ~ batches).rows
                if row[0] != (connector_of_entity('events') | string) -%}
                {%- do _state_error(
                    "the stored events come from the connector " ~ row[0] ~ ", this build reads "
                    ~ (connector_of_entity('events'))
                ) -%}
            {%- endfor -%}
        {%- endif -%}
        {%- if events and (batches is none or latest_ingest_number(events) > latest_ingest_number(batches)) -%}
            {%- do _state_error("shop_events is newer than the ledger of its loads") -%}
        {%- endif -%}
        {%- if events and buckets and _buckets_miscount(events, buckets) -%}
            {%- do _state_error("the stored sessions were not made from the stored shop_events") -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro _stored(relation) -%}
    {{ return(adapter.get_relation(relation.database, relation.schema, relation.identifier)) }}
{%- endmacro %}

{# Every event up to the last counted build is in exactly one bucket. Replaced rows that wait to be counted
   have left that range, hence a range and not an equation. #}
{% macro _buckets_miscount(events, buckets) -%}
    {%- set counted_until = latest_ingest_number(buckets) -%}
    {%- set row = run_query(
        'select counted.n, stored.n, waiting.n from (select coalesce(sum(event_count), 0) as n from ' ~ buckets
        ~ ') as counted cross join (select count(*) as n from ' ~ events ~ ' where visitor_id is not null'
        ~ ' and ingest_number <= ' ~ counted_until ~ ') as stored cross join (select count(*) as n from '
        ~ events ~ ' where visitor_id is not null and event_version > 1 and ingest_number > '
        ~ counted_until ~ ') as waiting'
    ).rows[0] -%}
    {{ return(row[0] < row[1] or row[0] > row[1] + row[2]) }}
{%- endmacro %}

{% macro _state_error(problem) -%}
    {%- do exceptions.raise_compiler_error(
        "Sessions cannot go on from here: " ~ problem ~ ". Run once with --full-refresh."
    ) -%}
{%- endmacro %}
