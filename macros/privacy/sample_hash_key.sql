{# The key of the sample shop: public, so that the sample's marts are the same everywhere. #}
{% macro sample_hash_key() -%}
    the key of the sample shop is no secret
{%- endmacro %}
