{# The columns that the model's TRANSFORM makes of the rows. #}
{% macro ml_transform(model, input, version=none) -%}
    {{- martlet.ml_stored_function(model, 'transform', input, {}, version) -}}
{%- endmacro %}
