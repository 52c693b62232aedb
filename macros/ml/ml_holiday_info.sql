{# The holidays a forecasting model knows. #}
{% macro ml_holiday_info(model, version=none) -%}
    {{- martlet.ml_stored_function(model, 'holiday_info', none, {}, version) -}}
{%- endmacro %}
