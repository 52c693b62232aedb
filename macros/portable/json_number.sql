{# The number under a key of a JSON object, as a double; NULL when there is none. #}
{% macro json_number(json, key) -%}
    {{ return(adapter.dispatch('json_number', 'martlet')(json, key)) }}
{%- endmacro %}

{% macro default__json_number(json, key) -%}
    try_cast(json_extract_string({{ json }}, '$.{{ key }}') as double)
{%- endmacro %}

{% macro spark__json_number(json, key) -%}
    try_cast(get_json_object({{ json }}, '$.{{ key }}') as double)
{%- endmacro %}
