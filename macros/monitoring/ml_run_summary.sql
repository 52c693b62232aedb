{#
    Runs after every build and says in a few lines how the fitted models stand: which were fitted, which go on,
    which lack data, and what should be done. Silent unless the marts of this project were built in this run.
#}
{% macro ml_run_summary(results) %}
    {%- if execute and flags.WHICH in ('build', 'run') -%}
        {%- set built = [] -%}
        {%- for result in results if result.node.package_name == 'martlet' and result.status | string == 'success' -%}
            {%- do built.append(result.node.name) -%}
        {%- endfor -%}
        {%- if 'dim_ml_models' in built and 'fct_ml_retrain_triggers' in built -%}
            {%- do martlet._log_model_states() -%}
            {%- do martlet._log_triggers() -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}

{% macro _log_model_states() %}
    {%- set rows = run_query(
        "select title, case when champion_version <> latest_version and is_challenger_waiting then 'challenger' "
        ~ "when status = 'insufficient_data' then 'insufficient_data' "
        ~ "when trained_at >= timestamp '" ~ run_started_at.strftime('%Y-%m-%d %H:%M:%S') ~ "' then 'fitted' "
        ~ "else 'reused' end as state from " ~ martlet._mart('dim_ml_models') ~ " order by title"
    ) -%}
    {%- set words = {
        'fitted': 'fitted now', 'reused': 'reused',
        'challenger': 'went on, the newer version did worse', 'insufficient_data': 'without enough data'
    } -%}
    {%- set parts = [] -%}
    {%- for state, word in words.items() -%}
        {%- set titles = rows.rows | selectattr(1, 'equalto', state) | map(attribute=0) | list -%}
        {%- if titles -%}
            {%- do parts.append(titles | length ~ ' ' ~ word ~ ' (' ~ titles | join(', ') ~ ')') -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do log('Models: ' ~ parts | join('; ') ~ '.', info=True) -%}
{% endmacro %}

{% macro _log_triggers() %}
    {%- set rows = run_query(
        "select model_name, rule, evidence from " ~ martlet._mart('fct_ml_retrain_triggers')
        ~ " where is_triggered and rule not in ('too_little_data', 'challenger_waits') order by model_name, rule"
    ).rows -%}
    {%- if not rows -%}
        {%- do log('Models: nothing calls for a refit.', info=True) -%}
    {%- endif -%}
    {%- for row in rows[:5] -%}
        {%- do log('Models: ' ~ row[0] ~ ', ' ~ row[1] ~ ': ' ~ row[2].split('. ')[0].rstrip('.') ~ '.', info=True) -%}
    {%- endfor -%}
    {%- if rows | length > 0 -%}
        {%- do log(
            'Models: ' ~ ((rows | length - 5) ~ ' more; ' if rows | length > 5 else '')
            ~ 'what to do stands in marts.fct_ml_retrain_triggers.', info=True
        ) -%}
    {%- endif -%}
{% endmacro %}

{% macro _mart(name) -%}
    {%- for node in graph.nodes.values() if node.package_name == 'martlet' and node.resource_type == 'model' and node.name == name -%}
        {{- return(node.relation_name) -}}
    {%- endfor -%}
{%- endmacro %}
