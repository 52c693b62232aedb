{# Reads a whole number, also when it is written 2.0; NULL for 1.5 and for text, where a plain
   cast would round on one engine and cut on another. #}
{% macro parse_whole_number(text) -%}
    {%- set number = "try_cast(" ~ clean_text(text) ~ " as decimal(18, 4))" -%}
    case when {{ number }} = floor({{ number }}) then cast({{ number }} as bigint) end
{%- endmacro %}
