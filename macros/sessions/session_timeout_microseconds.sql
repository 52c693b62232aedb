{% macro session_timeout_microseconds() -%}
    {{ return((var('martlet_session_timeout_minutes') | float * 60000000) | round | int) }}
{%- endmacro %}
