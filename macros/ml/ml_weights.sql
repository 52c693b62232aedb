{# The weights of a linear model. #}
{% macro ml_weights(model, standardize=none, version=none) -%}
    {{- martlet.ml_stored_function(model, 'weights', none, {'standardize': standardize}, version) -}}
{%- endmacro %}
