{# One row an actual class, one column a predicted one. #}
{% macro ml_confusion_matrix(model, input=none, threshold=none, version=none) -%}
    {{- martlet.ml_stored_function(model, 'confusion_matrix', input, {'threshold': threshold}, version) -}}
{%- endmacro %}
