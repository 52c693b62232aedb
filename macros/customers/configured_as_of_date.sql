{# The day the project is told to look from, NULL when it is left to the data. #}
{% macro configured_as_of_date() -%}
    {%- set configured = var('martlet_as_of_date') | string | trim -%}
    {%- if configured -%} cast('{{ configured }}' as date)
    {%- else -%} cast(null as date)
    {%- endif -%}
{%- endmacro %}
