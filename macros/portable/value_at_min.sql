{# The value that stands beside the smallest key, also when that value is NULL. Rows without a key do not
   count. DuckDB's min_by would skip the NULL values. #}
{% macro value_at_min(value, key) -%}
    {{ return(adapter.dispatch('value_at_min', 'martlet')(value, key)) }}
{%- endmacro %}

{% macro default__value_at_min(value, key) -%}
    arg_min_null({{ value }}, {{ key }})
{%- endmacro %}

{% macro spark__value_at_min(value, key) -%}
    {#- Without the filter Sail takes the row whose key is NULL. -#}
    min_by({{ value }}, {{ key }}) filter (where {{ key }} is not null)
{%- endmacro %}
