{# How many different values a list has; 0 for NULL. #}
{% macro distinct_list_count(list) -%}
    {{ return(adapter.dispatch('distinct_list_count', 'martlet')(list)) }}
{%- endmacro %}

{% macro default__distinct_list_count(list) -%}
    cast(coalesce(list_unique({{ list }}), 0) as bigint)
{%- endmacro %}

{% macro spark__distinct_list_count(list) -%}
    cast(coalesce(size(array_distinct({{ list }})), 0) as bigint)
{%- endmacro %}
