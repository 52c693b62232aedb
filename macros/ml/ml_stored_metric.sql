{#
    A metric of a version as a number, from `metrics` or `baseline_metrics`. A name that the champion has none of is one
    clear message instead of a test that fails without a word; a name it knows may still have no value.
#}
{% macro ml_stored_metric(model, metric, stored_in='metrics') -%}
    {%- if execute and flags.WHICH in ('build', 'test') -%}
        {%- set rows = run_query(
            "select model_name, cast(to_json(json_keys(" ~ stored_in ~ ")) as varchar) from " ~ model
            ~ " where is_champion and status <> 'insufficient_data'"
        ).rows -%}
        {%- for row in rows -%}
            {%- set known = fromjson(row[1] or '[]') -%}
            {%- if metric not in known -%}
                {%- do exceptions.raise_compiler_error(
                    "Model '" ~ row[0] ~ "' has no " ~ stored_in | replace('_', ' ') | replace('metrics', 'metric') ~ " '"
                    ~ metric ~ "'; it has: " ~ (known | sort | join(', ') or 'none') ~ "."
                ) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    cast({{ stored_in }} ->> '{{ metric }}' as double)
{%- endmacro %}
