{# Removes the sessions that are about to be cut again. #}
{% macro forget_sessions_to_cut() -%}
    {%- if is_incremental() %}
    {%- set starts %}select visitor_id, session_number from {{ ref('int_visitors__to_cut') }}{% endset %}
    {{ forget_sessions_from(this, 'first_key', starts) }}
    {%- endif %}
{%- endmacro %}
