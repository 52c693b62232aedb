{#
    dbt_ml's table of trainings; a hook before `model_audit`. Models that end at the same time cannot
    both make it, so the materialization makes it beforehand and the hook finds it there.
#}
{% macro create_model_audit_table() -%}
    {%- if execute -%}
        {%- set relation = martlet._model_audit_table() -%}
        create schema if not exists {{ relation.include(identifier=False) }};
        create table if not exists {{ relation }} (
            model varchar,
            schema varchar,
            created_at timestamp,
            training_info struct(
                training_run bigint, iteration bigint, loss double, eval_loss double, learning_rate double, duration_ms bigint,
                cluster_info struct(centroid_id bigint, cluster_radius double, cluster_size bigint)[]
            )[],
            feature_info struct(
                input varchar, "min" double, "max" double, mean double, median double, stddev double,
                category_count bigint, null_count bigint
            )[],
            weights struct(
                processed_input varchar, weight double, category_weights struct(category varchar, weight double)[]
            )[]
        )
    {%- endif -%}
{%- endmacro %}

{# The names come from `vars`, under Martlet's name or dbt_ml's. #}
{% macro _model_audit_table() -%}
    {%- do return(api.Relation.create(
        database=target.database,
        schema=var('martlet:audit_schema', var('dbt_ml:audit_schema', target.schema)),
        identifier=var('martlet:audit_table', var('dbt_ml:audit_table', 'ml_models')),
        type='table'
    )) -%}
{%- endmacro %}
