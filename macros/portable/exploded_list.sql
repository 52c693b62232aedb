{# In a select list: one row for each element of a list; a row without elements vanishes. #}
{% macro exploded_list(list) -%}
    {{ return(adapter.dispatch('exploded_list', 'martlet')(list)) }}
{%- endmacro %}

{% macro default__exploded_list(list) -%}
    unnest({{ list }})
{%- endmacro %}

{% macro spark__exploded_list(list) -%}
    explode({{ list }})
{%- endmacro %}
