{#
    Recommendations of a model that has them: a matrix factorization (every pair, or those of `input`), an item
    similarity (the best `n` for the histories in `input`). With `unseen_only` without what the user has had.
#}
{% macro ml_recommend(model, input=none, version=none, n=none, unseen_only=none) -%}
    {{- martlet.ml_stored_function(model, 'recommend', input, {'n': n, 'unseen_only': unseen_only}, version) -}}
{%- endmacro %}
