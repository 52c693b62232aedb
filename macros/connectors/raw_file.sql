{# A model whose rows stand in files: a view on Parquet or CSV; for an Excel workbook, which SQL
   cannot read, a table that Python fills. The meta of the model names connector and columns. #}
{% materialization raw_file, adapter='duckdb', supported_languages=['sql'] %}
    {% set connector = config.meta_require('connector') %}
    {% set raw = raw_files(connector) %}
    {% if raw.format != 'excel' %}
        {{ return(materialization_view_default()) }}
    {% endif %}

    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set existing_relation = load_cached_relation(this) -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {{ drop_relation_if_exists(existing_relation) }}

    {% call statement('main', language='python') %}
from martlet import excel


def model(dbt, con):
    excel.load_workbooks(
        con,
        files={{ raw.files | tojson }},
        columns={{ config.meta_require('columns') | tojson }},
        table={{ target_relation | string | tojson }},
        connector={{ connector | tojson }},
    )


class dbtObj:
    def __init__(self, load_df_function):
        pass


def materialize(df, con):
    pass
    {% endcall %}
    {# A mistake in the file is one sentence for the reader, not a Python traceback. #}
    {% set problem = run_query("select getvariable('martlet_problem')").rows[0][0] %}
    {% if problem %}
        {{ exceptions.raise_compiler_error(problem) }}
    {% endif %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
