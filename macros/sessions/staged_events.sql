{# Every staged event of the active connector, rejected rows included; no rows when the shop has no
   clickstream. #}
{% macro staged_events() -%}
    {%- set staged = staged_entity('events') -%}
    {%- if staged -%}
select * from {{ staged }}
    {%- else -%}
select
    cast(null as {{ type_string() }}) as batch_id,
    cast(null as {{ type_string() }}) as source_key,
    cast(null as {{ type_string() }}) as rejection_reason
    {%- for column in event_columns() %},
    cast(null as {{ column.type }}) as {{ column.name }}
    {%- endfor %}
where 1 = 0
    {%- endif -%}
{%- endmacro %}
