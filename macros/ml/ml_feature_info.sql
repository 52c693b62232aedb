{# One row an input column, as it was in training. #}
{% macro ml_feature_info(model, version=none) -%}
    {{- martlet.ml_stored_function(model, 'feature_info', none, {}, version) -}}
{%- endmacro %}
