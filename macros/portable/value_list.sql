{# An aggregate: all values that are not NULL, as a list in no particular order. No values give an empty
   list or NULL, depending on the engine. #}
{% macro value_list(value) -%}
    {{ return(adapter.dispatch('value_list', 'martlet')(value)) }}
{%- endmacro %}

{% macro default__value_list(value) -%}
    list({{ value }}) filter (where {{ value }} is not null)
{%- endmacro %}

{% macro spark__value_list(value) -%}
    collect_list({{ value }})
{%- endmacro %}
