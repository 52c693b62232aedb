{# md5 gives the same text on every engine, which hash() does not. #}
{% macro hash_text(expressions) -%}
    md5(concat_ws('|'
        {%- for expression in ([expressions] if expressions is string else expressions) %},
        coalesce(cast({{ expression }} as string), '')
        {%- endfor %}))
{%- endmacro %}
