{# The sum of numbers with a point, counted in decimals: the last digit of a sum of doubles depends on the order of the
   rows, and so on how many threads read them. `digits` after the point are kept of each number. #}
{% macro exact_sum(value, digits=9) -%}
    cast(sum(cast({{ value }} as decimal(38, {{ digits }}))) as double)
{%- endmacro %}
