{# How many customers were scored in this build, of how many. #}
{% macro log_scored_customers(scores) -%}
    {%- if execute -%}
        {%- set counts = run_query(
            "select count(distinct case when predicted_at = " ~ build_timestamp() ~ " then customer_id end), "
            ~ "count(distinct customer_id) from " ~ scores
        ).rows[0] -%}
        {%- do log(
            scores.identifier ~ ': ' ~ '{:,}'.format(counts[0] | int) ~ ' of ' ~ '{:,}'.format(counts[1] | int)
            ~ ' customers scored', info=True
        ) -%}
    {%- endif -%}
{%- endmacro %}
