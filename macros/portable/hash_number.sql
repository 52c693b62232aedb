{# A whole number (bigint) that stands for a value inside one build: shorter to sort and group by than a text.
   Never compared between builds: each engine has its own. #}
{% macro hash_number(expression) -%}
    {{ return(adapter.dispatch('hash_number', 'martlet')(expression)) }}
{%- endmacro %}

{% macro default__hash_number(expression) -%}
    cast(hash({{ expression }}) >> 1 as bigint)
{%- endmacro %}

{% macro spark__hash_number(expression) -%}
    xxhash64({{ expression }})
{%- endmacro %}
