{# The rows of the files of one layout, with the columns filename and file_row_number. #}
{% macro ga4_reader(layout) -%}
    {{ return(adapter.dispatch('ga4_reader', 'martlet')(layout)) }}
{%- endmacro %}

{% macro default__ga4_reader(layout) -%}
    read_parquet({{ _text_list(layout.files) }}, filename = true, file_row_number = true)
{%- endmacro %}
