{# Reads a whole number, also when it is written 2.0; NULL for 1.5 and for text, where a plain
   cast would round on one engine and cut on another. #}
{% macro parse_whole_number(text) -%}
    case
        when {{ parse_amount(text) }} = floor({{ parse_amount(text) }})
            then cast({{ parse_amount(text) }} as bigint)
    end
{%- endmacro %}
