{#
    materialized='model': fits a model on the rows of a SQL model, or as a Python model asks for, and
    stores it as rows and functions. Everything lands in one transaction or not at all.
#}
{% materialization model, adapter='duckdb', supported_languages=['sql', 'python'] %}

    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set meta = model.config.get('meta') or {} -%}
    {%- set ml_config = model.config.get('ml_config') or meta.get('ml_config') -%}
    {%- set payload = {
        'name': this.identifier,
        'schema': this.schema,
        'database': this.database,
        'sql': compiled_code if model.language == 'sql' else none,
        'ml_config': ml_config,
        'full_refresh': should_full_refresh(),
        'retrain_after_days': meta.get('retrain_after_days'),
    } -%}

    {#- a table that models share cannot be made inside a transaction while another model makes it too -#}
    {%- if 'model_audit' in post_hooks | map(attribute='sql') | join -%}
        {%- call statement('audit_table', language='python') -%}
def model(dbt, con):
    import martlet.materialization

    martlet.materialization.make_shared(con, {{ tojson(martlet.create_model_audit_table()) }})

class dbtObj:
    def __init__(self, load_df_function):
        pass

def materialize(df, con):
    pass
        {%- endcall -%}
    {%- endif -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {#- a Python statement does not open the transaction by itself -#}
    {%- call statement('begin', fetch_result=True) -%} select 1 as one {%- endcall -%}

    {%- call statement('main', language='python') -%}
{%- if model.language == 'python' %}
{{ compiled_code }}
{%- else %}
class dbtObj:
    def __init__(self, load_df_function):
        pass

model = None
{%- endif %}

__martlet_python_model = model
__martlet_payload = {{ tojson(tojson(payload)) }}

def model(dbt, con):
    import functools

    import martlet.materialization

    python_model = __martlet_python_model and functools.partial(__martlet_python_model, dbt, con)
    martlet.materialization.run(con, __martlet_payload, python_model)

def materialize(df, con):
    pass
    {%- endcall -%}

    {%- call statement('outcome', fetch_result=True) -%}
        select getvariable('martlet_outcome') as outcome
    {%- endcall -%}
    {%- set outcome = fromjson(load_result('outcome')['data'][0][0]) -%}
    {%- if outcome.error -%}
        {%- do exceptions.raise_compiler_error(outcome.error) -%}
    {%- endif -%}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do persist_docs(target_relation, model) -%}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {%- for message in outcome.log -%}
        {%- do log(this.identifier ~ ': ' ~ message, info=True) -%}
    {%- endfor -%}
    {%- for message in outcome.warnings -%}
        {%- do exceptions.warn(this.identifier ~ ': ' ~ message) -%}
    {%- endfor -%}

    {{ return({'relations': [target_relation]}) }}

{% endmaterialization %}
