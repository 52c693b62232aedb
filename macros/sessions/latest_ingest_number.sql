{# The highest ingest_number stored in a relation, 0 when the relation does not exist yet. Rendered as a
   number, so that the engine skips the old part of a table without reading it. #}
{% macro latest_ingest_number(relation) -%}
    {%- if not execute -%}
        {{ return(0) }}
    {%- endif -%}
    {%- set stored = adapter.get_relation(relation.database, relation.schema, relation.identifier) -%}
    {%- if stored is none -%}
        {{ return(0) }}
    {%- endif -%}
    {%- set rows = run_query('select coalesce(max(ingest_number), 0) as n from ' ~ stored).rows -%}
    {{ return(rows[0][0] | int) }}
{%- endmacro %}
