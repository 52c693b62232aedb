{# A product's number as people type it: case, spaces and the signs between its parts do not matter. #}
{% macro product_code(text) -%}
    {%- set plain = {'code': 'lower(' ~ text ~ ')'} -%}
    {%- for sign in ['-', '_', '.', '/', ' '] -%}
        {%- do plain.update(code='replace(' ~ plain.code ~ ", '" ~ sign ~ "', '')") -%}
    {%- endfor -%}
    {{- return(plain.code) -}}
{%- endmacro %}
