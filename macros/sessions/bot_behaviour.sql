{# Why the pace of a session cannot be a person's, NULL when it can: thirty views or more, each in less than a
   second on average. #}
{% macro bot_behaviour(view_count, duration_seconds) -%}
    case when {{ view_count }} >= 30 and {{ duration_seconds }} < {{ view_count }} then 'too_fast' end
{%- endmacro %}
