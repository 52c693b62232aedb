{# A list of texts as one text: [a, b]; NULL stays NULL. #}
{% macro list_text(list) -%}
    {{ return(adapter.dispatch('list_text', 'martlet')(list)) }}
{%- endmacro %}

{% macro default__list_text(list) -%}
    cast({{ list }} as string)
{%- endmacro %}

{% macro spark__list_text(list) -%}
    {#- Sail casts no list. -#}
    ('[' || array_join({{ list }}, ', ') || ']')
{%- endmacro %}
