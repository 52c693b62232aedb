{# One row a series and candidate model. #}
{% macro ml_arima_evaluate(model, show_all_candidate_models=none, version=none) -%}
    {%- do martlet.ml_need_function(model, 'arima_evaluate', version) -%}
    {{- martlet.ml_stored_function(model, 'arima_evaluate', none, {'show_all_candidate_models': show_all_candidate_models}, version) -}}
{%- endmacro %}
