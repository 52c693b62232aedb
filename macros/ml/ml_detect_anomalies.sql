{# The rows of `input` with a measure of how unusual they are. #}
{% macro ml_detect_anomalies(model, input, contamination=none, version=none) -%}
    {{- martlet.ml_stored_function(model, 'detect_anomalies', input, {'contamination': contamination}, version) -}}
{%- endmacro %}
