{# An aggregate that is not above the n-th greatest value: whoever wants the n best rows of a group need not sort the
   others. Rows of the same value all reach it. #}
{% macro floor_of_greatest(value, n) -%}
    {{ return(adapter.dispatch('floor_of_greatest', 'martlet')(value, n)) }}
{%- endmacro %}

{% macro default__floor_of_greatest(value, n) -%}
    list_last(max({{ value }}, {{ n }}))
{%- endmacro %}

{% macro spark__floor_of_greatest(value, n) -%}
    {#- Spark has no aggregate of several greatest values: every row reaches the least. -#}
    min({{ value }})
{%- endmacro %}
