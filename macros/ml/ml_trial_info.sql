{# One row a trial of hyper-parameter tuning. #}
{% macro ml_trial_info(model, version=none) -%}
    {{- martlet.ml_stored_function(model, 'trial_info', none, {}, version) -}}
{%- endmacro %}
