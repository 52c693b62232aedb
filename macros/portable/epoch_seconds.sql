{# Whole seconds, rounded down, so that one second of the clock is one number also before 1970. #}
{% macro epoch_seconds(timestamp) -%}
    cast(floor({{ epoch_microseconds(timestamp) }} / cast(1000000 as double)) as bigint)
{%- endmacro %}
