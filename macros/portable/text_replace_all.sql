{% macro text_replace_all(text, pattern, replacement) -%}
    {{ return(adapter.dispatch('text_replace_all', 'martlet')(text, pattern, replacement)) }}
{%- endmacro %}

{% macro default__text_replace_all(text, pattern, replacement) -%}
    regexp_replace({{ text }}, '{{ pattern }}', '{{ replacement }}', 'g')
{%- endmacro %}

{% macro spark__text_replace_all(text, pattern, replacement) -%}
    regexp_replace({{ text }}, '{{ pattern }}', '{{ replacement }}')
{%- endmacro %}
