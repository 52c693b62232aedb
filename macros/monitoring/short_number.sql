{# A number as words in a sentence hold it: three decimals at most. NULL stays NULL. #}
{% macro short_number(value) -%}
    cast(round(cast({{ value }} as double), 3) as {{ type_string() }})
{%- endmacro %}
