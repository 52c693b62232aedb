{# The last element of a list; NULL when it has none. #}
{% macro last_of_list(list) -%}
    {{ return(adapter.dispatch('last_of_list', 'martlet')(list)) }}
{%- endmacro %}

{% macro default__last_of_list(list) -%}
    list_extract({{ list }}, -1)
{%- endmacro %}

{% macro spark__last_of_list(list) -%}
    try_element_at({{ list }}, -1)
{%- endmacro %}
