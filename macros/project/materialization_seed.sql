{#
    Seeds on DuckDB, which reads the file itself. The adapter's own materialization first reads every cell in Python,
    to guess types that the YAML states, and throws the cells away. A seed is a new table each time, so that one with
    another set of columns needs no --full-refresh; a column whose type is not stated gets the one DuckDB finds.
#}
{% materialization seed, adapter='duckdb' %}

    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set existing_relation = load_cached_relation(this) -%}
    {%- set file = adapter.get_seed_file_path(model) -%}
    {%- set types = [] -%}
    {%- for column, type in (config.get('column_types') or {}).items() -%}
        {%- do types.append("'" ~ column | replace("'", "''") ~ "': '" ~ type ~ "'") -%}
    {%- endfor -%}
    {#- `dbt seed` wants one to be there -#}
    {%- do store_result('agate_table', response='OK', agate_table=none) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- if existing_relation is not none and not existing_relation.is_table -%}
        {%- do exceptions.raise_compiler_error("Cannot seed to '" ~ this ~ "': it is a " ~ existing_relation.type ~ ".") -%}
    {%- endif -%}

    {%- call statement('main') -%}
        drop table if exists {{ target_relation }};
        create table {{ target_relation }} as
        select *
        from read_csv(
            '{{ file | replace("'", "''") }}',
            header = true, delim = '{{ config.get('delimiter', ',') }}', quote = '"', escape = '"', types = { {{- types | join(', ') -}} }
        )
    {%- endcall -%}

    {%- do create_indexes(target_relation) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do apply_grants(target_relation, config.get('grants'), should_revoke=True) -%}
    {%- do persist_docs(target_relation, model) -%}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}

{% endmaterialization %}
