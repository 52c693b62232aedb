{% macro first_struct_where(structs, field, text) -%}
    {{ return(adapter.dispatch('first_struct_where', 'martlet')(structs, field, text)) }}
{%- endmacro %}

{% macro default__first_struct_where(structs, field, text) -%}
    list_extract(list_filter({{ structs }}, lambda item: item.{{ field }} = '{{ text }}'), 1)
{%- endmacro %}

{% macro spark__first_struct_where(structs, field, text) -%}
    get(filter({{ structs }}, item -> item.{{ field }} = '{{ text }}'), 0)
{%- endmacro %}
