{# A statement that removes the sessions of a table from some session of a visitor on: `starts` is a query of
   visitor_id and session_number, one row a visitor; `key` tells one session from all others. #}
{% macro forget_sessions_from(relation, key, starts) -%}
    {{ return(adapter.dispatch('forget_sessions_from', 'martlet')(relation, key, starts)) }}
{%- endmacro %}

{# One pass over the table. #}
{% macro default__forget_sessions_from(relation, key, starts) -%}
    delete from {{ relation }} as stored
    using ({{ starts }}) as gone
    where stored.visitor_id = gone.visitor_id and stored.session_number >= gone.session_number
{%- endmacro %}

{% macro spark__forget_sessions_from(relation, key, starts) -%}
    {%- set gone -%}
        select stored.{{ key }}
        from {{ relation }} as stored
        inner join ({{ starts }}) as gone
            on stored.visitor_id = gone.visitor_id
            and stored.session_number >= gone.session_number
    {%- endset %}
    {{ delete_matching(relation, key, gone) }}
{%- endmacro %}
