{# A field of the first item of an event, NULL in a layout that lacks it. #}
{% macro ga4_first_item(layout, field, type='string') -%}
    {%- if 'items.' ~ field not in layout.fields -%}
        cast(null as {{ type }})
    {%- elif type == 'string' -%}
        {{ _ga4_text(first_of_list('items') ~ '.' ~ field) }}
    {%- else -%}
        cast({{ first_of_list('items') }}.{{ field }} as {{ type }})
    {%- endif -%}
{%- endmacro %}
