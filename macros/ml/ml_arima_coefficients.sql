{# The coefficients of each series. #}
{% macro ml_arima_coefficients(model, version=none) -%}
    {%- do martlet.ml_need_function(model, 'arima_coefficients', version) -%}
    {{- martlet.ml_stored_function(model, 'arima_coefficients', none, {}, version) -}}
{%- endmacro %}
