{# Past and future of each series, taken apart. #}
{% macro ml_explain_forecast(model, horizon=none, confidence_level=none, version=none) -%}
    {%- do martlet.ml_need_function(model, 'explain_forecast', version) -%}
    {{- martlet.ml_stored_function(model, 'explain_forecast', none, {'horizon': horizon, 'confidence_level': confidence_level}, version) -}}
{%- endmacro %}
