{# Everything that decides where sessions begin and what is said about them, as one text. It is stored with
   the buckets, so that a build with other settings is noticed instead of mixed in. #}
{% macro session_settings() -%}
    {%- set rule = var('martlet_session_rule') -%}
    {%- do _check_choice('martlet_session_rule', ['ga4', 'ga360', 'custom']) -%}
    {%- do _check_whole_number('martlet_session_timeout_minutes', 1, 1440) -%}
    {%- if rule != 'custom' and session_timeout_microseconds() != 1800000000 -%}
        {{ exceptions.raise_compiler_error(
            "The session rule " ~ rule ~ " means 30 minutes, but martlet_session_timeout_minutes is "
            ~ var('martlet_session_timeout_minutes') ~ ". Set martlet_session_rule to custom."
        ) }}
    {%- endif -%}
    {{ return(
        'rule ' ~ rule ~ ', timeout ' ~ session_timeout_microseconds() / 60000000 ~ ' min, zone '
        ~ var('martlet_time_zone') ~ ', at most ' ~ var('martlet_session_max_hours') ~ ' h and '
        ~ var('martlet_session_max_events') ~ ' events'
    ) }}
{%- endmacro %}
