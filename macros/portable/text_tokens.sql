{# The words of a text as a list: lower case, without accents, cut at everything but letters and digits. #}
{% macro text_tokens(text) -%}
    {{ return(adapter.dispatch('text_tokens', 'martlet')(text)) }}
{%- endmacro %}

{% macro default__text_tokens(text) -%}
    list_filter(
        regexp_split_to_array(
            lower(strip_accents(coalesce(cast({{ text }} as string), ''))), '[^\p{L}\p{N}]+'
        ),
        lambda word: word <> ''
    )
{%- endmacro %}

{# Spark has no function that strips accents. #}
{% macro spark__text_tokens(text) -%}
    filter(
        split(lower(coalesce(cast({{ text }} as string), '')), '[^\\p{L}\\p{N}]+'),
        word -> word <> ''
    )
{%- endmacro %}
