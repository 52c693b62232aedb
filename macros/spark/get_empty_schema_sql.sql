{# Contracts name a list as DuckDB does, `string[]`. #}
{% macro spark__get_empty_schema_sql(columns) -%}
    {%- set named = {} -%}
    {%- for key, column in columns.items() -%}
        {%- set type = column['data_type'] -%}
        {%- if type.endswith('[]') -%}
            {%- set type = 'array<' ~ type[:-2] ~ '>' -%}
        {%- endif -%}
        {%- do named.update({key: dict(column, data_type=type)}) -%}
    {%- endfor -%}
    {{ return(dbt.default__get_empty_schema_sql(named)) }}
{%- endmacro %}
