{# Whether this build cuts all sessions: the first one, and each with --full-refresh. #}
{% macro sessions_are_cut_anew() -%}
    {%- if not execute or flags.FULL_REFRESH -%}
        {{ return(true) }}
    {%- endif -%}
    {{ return(load_relation(stored_session_model('int_sessions__cut')) is none) }}
{%- endmacro %}
