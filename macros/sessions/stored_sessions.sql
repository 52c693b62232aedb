{# The sessions the builds before have cut; no rows when there are none, or when all are cut anew. #}
{% macro stored_sessions() -%}
    {%- set stored = stored_session_model('int_sessions__cut') -%}
    {%- if sessions_are_cut_anew() -%}
select
    cast(null as {{ type_string() }}) as visitor_id,
    {{ no_order_key() }} as first_key,
    cast(null as bigint) as session_number,
    cast(null as {{ type_string() }}) as start_reason,
    cast(null as {{ type_string() }}) as previous_session_id,
    {{ no_order_key() }} as customer_key_before
where 1 = 0
    {%- else -%}
select visitor_id, first_key, session_number, start_reason, previous_session_id, customer_key_before
from {{ stored }}
    {%- endif -%}
{%- endmacro %}
