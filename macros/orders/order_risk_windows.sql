{# How far back orders of one key are counted: name and microseconds. #}
{% macro order_risk_windows() -%}
    {{ return({'1_hour': 3600000000, '1_day': 86400000000, '7_days': 604800000000}) }}
{%- endmacro %}
