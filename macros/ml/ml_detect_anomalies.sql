{# The rows of `input` with a measure of how unusual they are. #}
{% macro ml_detect_anomalies(model, input=none, contamination=none, anomaly_prob_threshold=none, version=none) -%}
    {{- martlet.ml_stored_function(
        model, 'detect_anomalies', input,
        {'contamination': contamination, 'anomaly_prob_threshold': anomaly_prob_threshold}, version
    ) -}}
{%- endmacro %}
