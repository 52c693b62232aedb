{# An option that tuning draws from an interval. #}
{% macro hparam_range(min_, max_) -%}
    {%- do return({'hparam_range': [min_, max_]}) -%}
{%- endmacro %}
