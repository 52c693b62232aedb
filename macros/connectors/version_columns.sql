{# Two columns that tell the versions of a raw row apart, among rows that are sound themselves
   (own_reason is null), so that a broken correction never replaces a sound row:
   copy_number   1 for one of several identical raw rows, 2, 3, ... for its copies
   version_rank  1 for the latest export of a key, 2, 3, ... for the older ones; of two exports of the same
                 time the one whose content sorts last counts, whatever order the rows come in. #}
{% macro version_columns(key, latest) -%}
    row_number() over (
        partition by own_reason, {{ key | join(', ') }}, raw_row
        order by {{ key | first }}
    ) as copy_number,
    dense_rank() over (
        partition by own_reason, {{ key | join(', ') }}
        order by {{ latest }} desc nulls last, raw_row desc
    ) as version_rank
{%- endmacro %}
