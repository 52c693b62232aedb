{# How well an autoencoder gives back rows. #}
{% macro ml_reconstruction_loss(model, input=none, version=none) -%}
    {%- do martlet.ml_need_function(model, 'reconstruction_loss', version) -%}
    {{- martlet.ml_stored_function(model, 'reconstruction_loss', input, {}, version) -}}
{%- endmacro %}
