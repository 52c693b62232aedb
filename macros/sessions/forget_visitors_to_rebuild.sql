{# Removes the buckets of the visitors whose past has changed, before they are counted again. #}
{% macro forget_visitors_to_rebuild() -%}
    {%- if is_incremental() %}
    {%- set gone %}select visitor_id from {{ ref('int_visitors__to_rebuild') }}{% endset %}
    {{ delete_matching(this, 'visitor_id', gone) }}
    {%- endif %}
{%- endmacro %}
