{# A text with e-mail addresses masked: links carry them in paths and campaigns. NULL stays NULL. #}
{% macro without_emails(text) -%}
    case
        when contains({{ text }}, '@') or contains(lower({{ text }}), '%40')
            then {{ text_replace_all(
                text, '[^/?&=:;,<>() ]{1,64}(@|%40)[^/?&=:;,<>() ]{1,255}', '[e-mail]'
            ) }}
        else {{ text }}
    end
{%- endmacro %}
