{# dbt_ml's name for the recommendations of a matrix factorization. #}
{% macro recommend(relation, source) -%}
    {{- martlet.ml_stored_function(relation, 'recommend', source) -}}
{%- endmacro %}
