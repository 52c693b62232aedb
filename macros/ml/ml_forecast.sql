{# The future of each series. #}
{% macro ml_forecast(model, horizon=none, confidence_level=none, version=none) -%}
    {%- do martlet.ml_need_function(model, 'forecast', version) -%}
    {{- martlet.ml_stored_function(model, 'forecast', none, {'horizon': horizon, 'confidence_level': confidence_level}, version) -}}
{%- endmacro %}
