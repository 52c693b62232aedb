{# One row a centroid and feature. #}
{% macro ml_centroids(model, standardize=none, version=none) -%}
    {{- martlet.ml_stored_function(model, 'centroids', none, {'standardize': standardize}, version) -}}
{%- endmacro %}
