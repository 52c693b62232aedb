{# A key of an order as a number of 60 bits: two of ten million keys share one with a chance of one in 20,000.
   `kind_number` is the place of the kind in order_risk_keys(), from 1. A key that is NULL has the number of no key. #}
{% macro order_risk_key_number(kind_number, value) -%}
    {{ hex_number("left(md5(concat_ws('|', " ~ kind_number ~ ', ' ~ value ~ ')), 15)') }}
{%- endmacro %}
