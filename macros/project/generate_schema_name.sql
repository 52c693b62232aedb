{# Schemas are named after the rooms of the house (staging, shop, marts, ...) and nothing else,
   so that a BI tool reads `marts.dim_customers` whatever the target is called. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
