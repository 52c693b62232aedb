{% macro local_date(timestamp, zone=none) -%}
    cast({{ local_timestamp(timestamp, zone) }} as date)
{%- endmacro %}
