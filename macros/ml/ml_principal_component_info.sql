{# One row a component. #}
{% macro ml_principal_component_info(model, version=none) -%}
    {{- martlet.ml_stored_function(model, 'principal_component_info', none, {}, version) -}}
{%- endmacro %}
