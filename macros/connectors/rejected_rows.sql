{# What to put after FROM to read the raw rows that broke the contract, of every entity, from
   the connector that delivers it. #}
{% macro rejected_rows(entities) %}
    {%- set selects = [] -%}
    {%- for entity in entities -%}
        {%- set staged = staged_entity(entity) -%}
        {%- if staged -%}
            {%- set select %}
select
    '{{ connector_of_entity(entity) }}' as connector,
    '{{ entity }}' as entity,
    source_key,
    rejection_reason,
    source_row
from {{ staged }}
where rejection_reason is not null
            {%- endset -%}
            {%- do selects.append(select) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if not selects -%}
        {%- do selects.append("
select
    cast(null as string) as connector,
    cast(null as string) as entity,
    cast(null as string) as source_key,
    cast(null as string) as rejection_reason,
    cast(null as string) as source_row
where 1 = 0") -%}
    {%- endif -%}
    ({{ selects | join('\nunion all') }}
) as rejected_rows
{% endmacro %}
