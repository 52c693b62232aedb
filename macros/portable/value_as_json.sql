{% macro value_as_json(value) -%}
    {{ return(adapter.dispatch('value_as_json', 'martlet')(value)) }}
{%- endmacro %}

{% macro default__value_as_json(value) -%}
    cast(to_json({{ value }}) as string)
{%- endmacro %}

{% macro spark__value_as_json(value) -%}
    to_json({{ value }}, map('ignoreNullFields', 'false'))
{%- endmacro %}
