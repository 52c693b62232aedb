{# One row a component and feature. #}
{% macro ml_principal_components(model, version=none) -%}
    {{- martlet.ml_stored_function(model, 'principal_components', none, {}, version) -}}
{%- endmacro %}
