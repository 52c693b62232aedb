{# Metrics on `input`, or those stored with the model. #}
{% macro ml_evaluate(
    model, input=none, threshold=none, version=none, perform_aggregation=none, horizon=none, confidence_level=none
) -%}
    {{- martlet.ml_stored_function(model, 'evaluate', input, {
        'threshold': threshold,
        'perform_aggregation': perform_aggregation,
        'horizon': horizon,
        'confidence_level': confidence_level,
    }, version) -}}
{%- endmacro %}
