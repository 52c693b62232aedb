{# A relation with one column, `number`, that counts from the first to the last whole number; no rows when
   the last is below the first. Written out, so that every engine reads it: for dozens, not millions. #}
{% macro number_series(first, last) -%}
    (
    {%- if last | int < first | int %}
        select 0 as number where 1 = 0
    {%- endif %}
    {%- for number in range(first | int, last | int + 1) %}
        select {{ number }} as number
        {%- if not loop.last %} union all{% endif %}
    {%- endfor %}
    )
{%- endmacro %}
