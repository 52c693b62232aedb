{# Restricts the buckets to the visitors whose sessions a build has to cut again: everybody the first time,
   afterwards those who got a new bucket. #}
{% macro visitors_with_new_buckets() -%}
    {%- if is_incremental() -%}
    where visitor_id in (
        select visitor_id
        from {{ ref('int_session_buckets') }}
        where ingest_number > {{ latest_ingest_number(this) }}
    )
    {%- endif -%}
{%- endmacro %}
