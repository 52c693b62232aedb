{# One row an iteration of the training. #}
{% macro ml_training_info(model, version=none) -%}
    {{- martlet.ml_stored_function(model, 'training_info', none, {}, version) -}}
{%- endmacro %}
