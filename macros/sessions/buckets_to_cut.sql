{# The stored buckets that a build of int_sessions__cut has to put in order: all of them the first time,
   afterwards its step touched_buckets. #}
{% macro buckets_to_cut(columns) -%}
    select
        {{ columns | join(',\n        ') }}
    from {{ 'touched_buckets' if is_incremental() else ref('int_session_buckets__counted') }}
{%- endmacro %}
