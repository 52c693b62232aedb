{# Removes the stored sessions of a model whose place sessions cut since have taken: a visitor is always cut
   from some session to the end. #}
{% macro forget_sessions_cut_again() -%}
    {%- if is_incremental() %}
    {%- set gone -%}
        select stored.session_id
        from {{ this }} as stored
        inner join (
            select visitor_id, min(session_number) as session_number
            from {{ ref('int_sessions__cut') }}
            where ingest_number > {{ latest_ingest_number(this) }}
            group by visitor_id
        ) as cut_again
            on stored.visitor_id = cut_again.visitor_id
            and stored.session_number >= cut_again.session_number
    {%- endset %}
    {{ delete_matching(this, 'session_id', gone) }}
    {%- endif %}
{%- endmacro %}
