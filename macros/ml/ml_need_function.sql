{#
    One clear message where a model of this type cannot answer: functions that few types have ask here first.
    A model that has not been built yet, or that is named by a text, is not looked up.
#}
{% macro ml_need_function(model, function, version=none) -%}
    {%- if execute and model is not string and target.type == 'duckdb' -%}
        {%- set relation = adapter.get_relation(model.database, model.schema, model.identifier) -%}
        {%- if relation -%}
            {%- set columns = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
            {%- if 'functions' not in columns or 'is_champion' not in columns -%}
                {%- do exceptions.raise_compiler_error(
                    "ml_" ~ function ~ ": '" ~ model.identifier ~ "' is no fitted model, it needs materialized='model'."
                ) -%}
            {%- endif -%}
            {%- set which = 'model_version = ' ~ version if version is not none else 'is_champion' -%}
            {%- set rows = run_query(
                "select model_type, list_contains(json_keys(functions), '" ~ function ~ "') from " ~ relation ~ " where " ~ which
            ).rows -%}
            {%- set wanted = {
                'global_explain': 'enable_global_explain',
                'global_explain_by_class': 'enable_global_explain',
                'trial_info': 'num_trials',
                'transform': 'transform',
                'advanced_weights': 'calculate_p_values',
            }.get(function) -%}
            {%- if rows | length and not rows[0][1] and wanted -%}
                {%- do exceptions.raise_compiler_error(
                    "Model '" ~ model.identifier ~ "' (" ~ rows[0][0] ~ ") has no ml_" ~ function
                    ~ ": it was fitted without " ~ wanted ~ " in its ml_config, or its type does not take that."
                ) -%}
            {%- elif rows | length and not rows[0][1] -%}
                {%- do exceptions.raise_compiler_error(
                    "Model '" ~ model.identifier ~ "' is a " ~ rows[0][0] ~ ", which has no ml_" ~ function
                    ~ ". docs/bigquery-ml-differences.md lists the functions and types that are not there."
                ) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
