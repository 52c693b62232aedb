{# Reads a number with up to four decimals; NULL when it is none. #}
{% macro parse_amount(text) -%}
    try_cast({{ clean_text(text) }} as decimal(18, 4))
{%- endmacro %}
