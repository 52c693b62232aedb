{# dbt_ml's name for `ml_predict`. #}
{% macro predict(relation, source, threshold=none) -%}
    {{- martlet.ml_predict(relation, source, threshold) -}}
{%- endmacro %}
