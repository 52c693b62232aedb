{# Mean absolute attribution of each feature; needs enable_global_explain. #}
{% macro ml_global_explain(model, class_level_explain=false, version=none) -%}
    {{- martlet.ml_stored_function(model, 'global_explain_by_class' if class_level_explain else 'global_explain', none, {}, version) -}}
{%- endmacro %}
