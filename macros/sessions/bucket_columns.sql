{# What tells one bucket of a visitor from another. Only some rules know a day and a campaign change: two columns of
   nothing to group by would cost a tenth of the counting. #}
{% macro bucket_columns() -%}
    {{ return(
        ['bucket_start', 'bucket_date', 'split_key'] if var('martlet_session_rule') == 'ga360' else ['bucket_start']
    ) }}
{%- endmacro %}
