{# Whether a raw value is there but was not read as a number; a missing one counts where it is
   required. #}
{% macro not_a_number(text, number, required=true) -%}
    {%- if required -%}
    {{ number }} is null
    {%- else -%}
    ({{ number }} is null and {{ clean_text(text) }} is not null)
    {%- endif -%}
{%- endmacro %}
