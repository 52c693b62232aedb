{# The number that up to fifteen hexadecimal digits write; NULL stays NULL. #}
{% macro hex_number(text) -%}
    {{ return(adapter.dispatch('hex_number', 'martlet')(text)) }}
{%- endmacro %}

{% macro default__hex_number(text) -%}
    cast('0x' || {{ text }} as bigint)
{%- endmacro %}

{% macro spark__hex_number(text) -%}
    {#- Sail's conv() refuses text as split_part() leaves it; lpad() makes it anew. -#}
    cast(conv(lpad({{ text }}, 15, '0'), 16, 10) as bigint)
{%- endmacro %}
