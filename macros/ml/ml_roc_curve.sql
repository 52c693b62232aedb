{# One row a threshold. `thresholds` is a list of numbers. #}
{% macro ml_roc_curve(model, input=none, thresholds=none, version=none) -%}
    {{- martlet.ml_stored_function(model, 'roc_curve', input, {'thresholds': thresholds}, version) -}}
{%- endmacro %}
