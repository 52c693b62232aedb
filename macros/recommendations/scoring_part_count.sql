{# How many parts the customers are scored in; Spark parts the work by itself. #}
{% macro scoring_part_count(size=20000) -%}
    {%- set histories = load_relation(ref('ml_recommendations__histories')) if execute and target.type == 'duckdb' else none -%}
    {%- if histories is none -%}
        {{- return(1) -}}
    {%- endif -%}
    {%- set customers = run_query('select count(*) from ' ~ histories).rows[0][0] | int -%}
    {{- return([(customers / size) | round(0, 'ceil') | int, 1] | max) -}}
{%- endmacro %}
