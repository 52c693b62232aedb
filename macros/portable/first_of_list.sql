{% macro first_of_list(list) -%}
    {{ return(adapter.dispatch('first_of_list', 'martlet')(list)) }}
{%- endmacro %}

{% macro default__first_of_list(list) -%}
    list_extract({{ list }}, 1)
{%- endmacro %}

{% macro spark__first_of_list(list) -%}
    get({{ list }}, 0)
{%- endmacro %}
