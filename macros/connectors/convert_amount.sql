{# An amount in the reporting currency. Decimals throughout, so that every engine rounds alike. #}
{% macro convert_amount(amount, exchange_rate) -%}
    cast(({{ amount }}) * cast({{ exchange_rate }} as decimal(18, 8)) as decimal(18, 4))
{%- endmacro %}
