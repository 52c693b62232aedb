{# The n-th element of a list, from 1; NULL beyond its end. #}
{% macro list_element(list, place) -%}
    {{ return(adapter.dispatch('list_element', 'martlet')(list, place)) }}
{%- endmacro %}

{% macro default__list_element(list, place) -%}
    {{ list }}[{{ place }}]
{%- endmacro %}

{% macro spark__list_element(list, place) -%}
    try_element_at({{ list }}, {{ place }})
{%- endmacro %}
