{# A column or a field of a struct (device.web_info.browser) of the export, NULL in a layout that
   lacks it. Google's placeholders for "unknown" are NULL too. #}
{% macro ga4_field(layout, path, type='string') -%}
    {%- if path not in layout.fields -%}
        cast(null as {{ type }})
    {%- elif type == 'string' -%}
        {{ _ga4_text(path) }}
    {%- else -%}
        cast({{ path }} as {{ type }})
    {%- endif -%}
{%- endmacro %}

{% macro _ga4_text(expression) -%}
    nullif(
        nullif(nullif(trim(cast({{ expression }} as string)), ''), '(not set)'), '(data deleted)'
    )
{%- endmacro %}
