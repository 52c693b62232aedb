{# Removes the buckets of the visitors whose past has changed, before they are counted again. #}
{% macro forget_visitors_to_rebuild() -%}
    {%- if is_incremental() %}
    delete from {{ this }}
    where visitor_id in (select visitor_id from {{ ref('int_visitors__to_rebuild') }})
    {%- endif %}
{%- endmacro %}
