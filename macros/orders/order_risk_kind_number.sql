{# The place of a kind of key in order_risk_keys(), from 1. #}
{% macro order_risk_kind_number(kind) -%}
    case {{ kind }}
        {%- for name in order_risk_keys() %}
        when '{{ name }}' then {{ loop.index }}
        {%- endfor %}
    end
{%- endmacro %}
