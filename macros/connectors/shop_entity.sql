{# What to put after FROM to read an entity: the rows that keep the contract, with the columns
   of the model's YAML in its order and types, from whichever connector delivers the entity; no
   rows when none does. #}
{% macro shop_entity(entity, omit=[]) %}
    {%- set staged = staged_entity(entity) -%}
    {%- set columns = model.columns.values() | rejectattr('name', 'in', omit) | list -%}
(
    select
    {%- for column in columns %}
        cast({{ column.name if staged else 'null' }} as {{ column.data_type }}) as {{ column.name }}
        {{- ',' if not loop.last }}
    {%- else %}
        1 as no_columns_while_parsing
    {%- endfor %}
    {%- if staged %}
    from {{ staged }}
    where rejection_reason is null
    {%- else %}
    where 1 = 0
    {%- endif %}
) as {{ entity }}
{%- endmacro %}
