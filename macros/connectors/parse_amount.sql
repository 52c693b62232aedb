{# Reads a number with up to four decimals, below ten billion; NULL when it is none. Larger numbers
   are mistakes, and their products and sums would not fit any more. #}
{% macro parse_amount(text) -%}
    cast(try_cast({{ clean_text(text) }} as decimal(14, 4)) as decimal(18, 4))
{%- endmacro %}
