{# Why a session is set aside as a runaway, NULL when it is not: a forgotten script or a shared cookie can
   keep a session open for months. #}
{% macro quarantine_reason(event_count, duration_seconds) -%}
    case
        when {{ duration_seconds }} > {{ var('martlet_session_max_hours') }} * 3600 then 'too_long'
        when {{ event_count }} > {{ var('martlet_session_max_events') }} then 'too_many_events'
    end
{%- endmacro %}
