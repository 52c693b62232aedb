{# A key of an order as a number of 60 bits: two of ten million keys share one with a chance of one in 20,000. #}
{% macro order_risk_key_number(kind, value) -%}
    case when {{ value }} is not null
        then {{ hex_number('left(' ~ hash_text([kind, value]) ~ ', 15)') }}
    end
{%- endmacro %}
