{# How much a tree model uses each feature. #}
{% macro ml_feature_importance(model, version=none) -%}
    {{- martlet.ml_stored_function(model, 'feature_importance', none, {}, version) -}}
{%- endmacro %}
