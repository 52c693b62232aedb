{# Weights with standard errors and p-values. #}
{% macro ml_advanced_weights(model, standardize=none, version=none) -%}
    {{- martlet.ml_stored_function(model, 'advanced_weights', none, {'standardize': standardize}, version) -}}
{%- endmacro %}
