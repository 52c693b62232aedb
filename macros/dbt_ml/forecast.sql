{# dbt_ml's name for a forecast, with its defaults, which are not BigQuery's. #}
{% macro forecast(relation, horizon=30, confidence_level=0.8) -%}
    {%- do martlet.ml_need_function(relation, 'forecast') -%}
    {{- martlet.ml_stored_function(
        relation, 'forecast', none, {'horizon': horizon, 'confidence_level': confidence_level}
    ) -}}
{%- endmacro %}
