{# The holidays a forecasting model knows. #}
{% macro ml_holiday_info(model, version=none) -%}
    {%- do martlet.ml_need_function(model, 'holiday_info', version) -%}
    {{- martlet.ml_stored_function(model, 'holiday_info', none, {}, version) -}}
{%- endmacro %}
