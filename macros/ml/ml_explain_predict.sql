{# The rows of `input` with the prediction and what each feature adds to it. #}
{% macro ml_explain_predict(model, input, top_k_features=none, threshold=none, version=none) -%}
    {{- martlet.ml_stored_function(model, 'explain_predict', input, {'top_k_features': top_k_features, 'threshold': threshold}, version) -}}
{%- endmacro %}
