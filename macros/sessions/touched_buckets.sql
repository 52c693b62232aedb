{# Renders the step touched_buckets of int_sessions__cut: the stored buckets of the visitors who are cut again,
   from the session on from which they are. Nothing when all sessions are cut. #}
{% macro touched_buckets() -%}
    {%- if is_incremental() -%}
touched_buckets as (
    select buckets.*
    from {{ ref('int_session_buckets__counted') }} as buckets
    inner join {{ ref('int_visitors__to_cut') }} as visitors on buckets.visitor_id = visitors.visitor_id
    where visitors.resume_key is null or buckets.first_key >= visitors.resume_key
),
    {%- endif -%}
{%- endmacro %}
