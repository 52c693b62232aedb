{# The events that a build of an incremental session model has to add, with the given columns: all of them
   the first time, afterwards those stored since, and everything of the visitors that start anew. A model
   that uses it says `depends_on` int_visitors__to_rebuild and has forget_visitors_to_rebuild() as its
   pre-hook. Write it once for each use: a CTE read twice would be kept in memory as a whole. #}
{% macro events_to_add(columns, condition=none) -%}
    {%- set rebuild = "(select visitor_id from " ~ ref('int_visitors__to_rebuild') ~ ")" %}
    {%- set and_condition = ' and ' ~ condition if condition else '' %}
    {%- if not is_incremental() %}
    select
        {{ columns | join(',\n        ') }}
    from {{ ref('shop_events') }}
    where visitor_id is not null{{ and_condition }}
    {%- else %}
    select
        {{ columns | join(',\n        ') }}
    from {{ ref('shop_events') }}
    where
        visitor_id is not null{{ and_condition }}
        and ingest_number > {{ latest_ingest_number(this) }}
        and visitor_id not in {{ rebuild }}
    union all
    select
        {{ columns | join(',\n        ') }}
    from {{ ref('shop_events') }}
    where visitor_id in {{ rebuild }}{{ and_condition }}
    {%- endif %}
{%- endmacro %}
