{# Removes the stored sessions of a model whose place sessions cut since have taken: a visitor is always cut
   from some session to the end. #}
{% macro forget_sessions_cut_again() -%}
    {%- if is_incremental() %}
    {%- set starts -%}
        select visitor_id, min(session_number) as session_number
        from {{ ref('int_sessions__cut') }}
        where ingest_number > {{ latest_ingest_number(this) }}
        group by visitor_id
    {%- endset %}
    {{ forget_sessions_from(this, 'session_id', starts) }}
    {%- endif %}
{%- endmacro %}
