{# The three columns that end every staging model: why a row is left out (NULL: it is not), the
   raw key or a hash of the row when there is none, and for rows left out the raw row itself. #}
{% macro quarantine_columns(key) -%}
    rejection_reason,
    coalesce({{ key }}, {{ hash_text(value_as_json('raw_row')) }}) as source_key,
    case when rejection_reason is not null then {{ value_as_json('raw_row') }} end as source_row
{%- endmacro %}
