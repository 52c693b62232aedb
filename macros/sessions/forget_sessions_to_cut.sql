{# Removes the sessions that are about to be cut again. #}
{% macro forget_sessions_to_cut() -%}
    {%- if is_incremental() %}
    {%- set gone -%}
        select stored.first_key
        from {{ this }} as stored
        inner join {{ ref('int_visitors__to_cut') }} as visitors
            on stored.visitor_id = visitors.visitor_id
            and stored.session_number >= visitors.session_number
    {%- endset %}
    {{ delete_matching(this, 'first_key', gone) }}
    {%- endif %}
{%- endmacro %}
