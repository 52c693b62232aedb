{% macro row_as_struct(columns) -%}
    {{ return(adapter.dispatch('row_as_struct', 'martlet')(columns)) }}
{%- endmacro %}

{#- Quoted: DuckDB 1.5 takes a bare `time` or `method` there for a keyword. -#}
{% macro default__row_as_struct(columns) -%}
    struct_pack(
        {%- for column in columns %}"{{ column }}" := "{{ column }}"{{ ', ' if not loop.last }}{% endfor -%}
    )
{%- endmacro %}

{% macro spark__row_as_struct(columns) -%}
    named_struct(
        {%- for column in columns %}'{{ column }}', {{ column }}{{ ', ' if not loop.last }}{% endfor -%}
    )
{%- endmacro %}
