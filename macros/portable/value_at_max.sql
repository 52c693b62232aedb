{# The value that stands beside the greatest key, also when that value is NULL. Rows without a key do not
   count. DuckDB's max_by would skip the NULL values. #}
{% macro value_at_max(value, key) -%}
    {{ return(adapter.dispatch('value_at_max', 'martlet')(value, key)) }}
{%- endmacro %}

{% macro default__value_at_max(value, key) -%}
    arg_max_null({{ value }}, {{ key }})
{%- endmacro %}

{% macro spark__value_at_max(value, key) -%}
    {#- Without the filter Sail takes the row whose key is NULL. -#}
    max_by({{ value }}, {{ key }}) filter (where {{ key }} is not null)
{%- endmacro %}
