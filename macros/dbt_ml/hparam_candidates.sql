{# An option that tuning draws from a list. #}
{% macro hparam_candidates(candidates) -%}
    {%- do return({'hparam_candidates': candidates}) -%}
{%- endmacro %}
