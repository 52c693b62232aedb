{# The rows of `input` with the prediction. `keep_original_columns` is for PCA. #}
{% macro ml_predict(model, input, threshold=none, version=none, keep_original_columns=none) -%}
    {{- martlet.ml_stored_function(model, 'predict_with_input' if keep_original_columns else 'predict', input, {'threshold': threshold}, version) -}}
{%- endmacro %}
