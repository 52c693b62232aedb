{# The rate for an amount that belongs to an order: the order's own when both are in one
   currency, 1 for the reporting currency, else NULL. #}
{% macro order_exchange_rate(currency_code, orders) -%}
    case
        when {{ currency_code }} = '{{ var("martlet_currency") }}' then 1
        when {{ currency_code }} = {{ orders }}.currency_code then {{ orders }}.exchange_rate
    end
{%- endmacro %}
