{# Whether a raw time cannot be true: written but not readable, or outside 1995 (the first
   online shops) to 2089. The bounds are fixed on purpose: a build must not come out differently
   tomorrow. A missing time is impossible only where the contract requires one. #}
{% macro impossible_date(text, timestamp, required=true) -%}
    (
        {%- if required %}
        {{ timestamp }} is null
        {%- else %}
        ({{ timestamp }} is null and {{ clean_text(text) }} is not null)
        {%- endif %}
        or {{ timestamp }} < timestamp '1995-01-01 00:00:00'
        or {{ timestamp }} >= timestamp '2090-01-01 00:00:00'
    )
{%- endmacro %}
