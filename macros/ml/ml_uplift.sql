{# The rows of `input` with what a treatment would change, from a model of type uplift_classifier. #}
{% macro ml_uplift(model, input, version=none) -%}
    {{- martlet.ml_stored_function(model, 'uplift', input, {}, version) -}}
{%- endmacro %}
