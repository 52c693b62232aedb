{# Branches of a case: a row that is a copy of another, or an older version of it. #}
{% macro version_reason() -%}
    when copy_number > 1 then 'duplicate_row'
    when version_rank > 1 then 'superseded_row'
{%- endmacro %}
