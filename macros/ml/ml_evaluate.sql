{# Metrics on `input`, or those stored with the model. #}
{% macro ml_evaluate(model, input=none, threshold=none, version=none) -%}
    {{- martlet.ml_stored_function(model, 'evaluate', input, {'threshold': threshold}, version) -}}
{%- endmacro %}
