{# Reads yes and no as exports write them; NULL when it is neither. #}
{% macro parse_boolean(text) -%}
    case
        when lower(trim({{ text }})) in ('true', 't', 'yes', 'y', '1', '1.0', 'on') then true
        when lower(trim({{ text }})) in ('false', 'f', 'no', 'n', '0', '0.0', 'off') then false
    end
{%- endmacro %}
