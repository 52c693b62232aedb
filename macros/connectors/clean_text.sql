{# Text without the blanks around it; what is left empty is NULL. #}
{% macro clean_text(text) -%}
    nullif(trim({{ text }}), '')
{%- endmacro %}
