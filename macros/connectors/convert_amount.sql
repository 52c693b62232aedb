{# An amount in the reporting currency. Decimals throughout, so that every engine rounds alike.
   DuckDB multiplies decimals of up to 18 digits in 18 digits, and a million would not fit: hence 19.
   NULL when the result does not fit; `amount_too_large` tells of it before. #}
{% macro convert_amount(amount, exchange_rate) -%}
    try_cast(
        cast({{ amount }} as decimal(19, 4)) * cast({{ exchange_rate }} as decimal(18, 8))
        as decimal(18, 4)
    )
{%- endmacro %}
