{#
    dbt_ml's name for `ml_detect_anomalies`. `threshold` is the probability from which a point of a
    series is an anomaly; for types that take a contamination it is the share of normal rows.
#}
{% macro detect_anomalies(relation, source, threshold=0.95) -%}
    {%- set found = namespace(model_type='') -%}
    {%- if execute -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.relation_name == relation | string -%}
            {%- set ml_config = node.config.get('ml_config') or node.config.meta.get('ml_config') or {} -%}
            {%- set found.model_type = ml_config.get('model_type', '') | lower -%}
        {%- endfor -%}
    {%- endif -%}
    {%- set argument = 'anomaly_prob_threshold' if found.model_type.startswith('arima') else 'contamination' -%}
    {%- set value = threshold if found.model_type.startswith('arima') else (1 - threshold) | round(12) -%}
    {{- martlet.ml_stored_function(relation, 'detect_anomalies', source, {argument: value}) -}}
{%- endmacro %}
