{# Recommendations of a model that has them, such as a matrix factorization. #}
{% macro ml_recommend(model, input=none, version=none) -%}
    {{- martlet.ml_stored_function(model, 'recommend', input, {}, version) -}}
{%- endmacro %}
