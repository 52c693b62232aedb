{# Products scored for each customer. #}
{% macro kept_recommendations() -%}
    {{- return(var('martlet_recommendations') | int + 20) -}}
{%- endmacro %}
