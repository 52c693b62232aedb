{# A whole number (bigint) that stands for a value, or for the values of a list in their order, inside one build:
   shorter to sort and group by than texts. Never compared between builds: each engine has its own. #}
{% macro hash_number(expressions) -%}
    {{ return(adapter.dispatch('hash_number', 'martlet')(expressions)) }}
{%- endmacro %}

{% macro default__hash_number(expressions) -%}
    cast(hash({{ expressions if expressions is string else expressions | join(', ') }}) >> 1 as bigint)
{%- endmacro %}

{% macro spark__hash_number(expressions) -%}
    {%- if expressions is string -%}
    (xxhash64({{ expressions }}) & 9223372036854775807)
    {%- else -%}
    {#- xxhash64 passes over NULL: say where it stood. -#}
    (xxhash64(
        {%- for expression in expressions %}{{ ', ' if not loop.first }}
        {{- expression }}, case when {{ expression }} is null then 1 else 0 end
        {%- endfor %}) & 9223372036854775807)
    {%- endif -%}
{%- endmacro %}
