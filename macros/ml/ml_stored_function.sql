{#
    The call of a stored function of a fitted model. The name follows from the model's, so this works when the
    model has never been built; functions that not every type has are asked for first, where queries are run.
#}
{% macro ml_stored_function(model, function, input=none, arguments={}, version=none) -%}
    {{- return(adapter.dispatch('ml_stored_function', 'martlet')(model, function, input, arguments, version)) -}}
{%- endmacro %}

{% macro default__ml_stored_function(model, function, input, arguments, version) -%}
    {%- if execute and flags.WHICH in ['run', 'build', 'test', 'show']
            and function not in ['predict', 'evaluate', 'training_info', 'feature_info', 'validate_data_skew'] -%}
        {%- do martlet.ml_need_function(model, function, version) -%}
    {%- endif -%}
    {%- set pin = '_v' ~ version if version is not none else '' -%}
    {%- set parts = [] -%}
    {%- if input is not none -%}
        {%- do parts.append("'" ~ (input | string | replace("'", "''")) ~ "'") -%}
    {%- endif -%}
    {%- for name, value in arguments.items() if value is not none -%}
        {%- do parts.append(name ~ ' := ' ~ (value if value is not sameas true and value is not sameas false else value | string | lower)) -%}
    {%- endfor -%}
    {%- if model is string -%}
        {%- set path = model.split('.') -%}
        {%- set name = (path[:-1] + [adapter.quote(path[-1] ~ pin ~ '_' ~ function)]) | join('.') -%}
    {%- else -%}
        {%- set name = model.include(identifier=False) ~ '.' ~ adapter.quote(model.identifier ~ pin ~ '_' ~ function) -%}
    {%- endif -%}
    {{- name ~ '(' ~ parts | join(', ') ~ ')' -}}
{%- endmacro %}

{# Spark has no functions over tables: there the champion's text is read from the table that `martlet spark` keeps
   it in, and stands in the place of the call. #}
{% macro spark__ml_stored_function(model, function, input, arguments, version) -%}
    {%- if not execute -%}
        {{- return('(select 1 as not_built_yet)') -}}
    {%- endif -%}
    {%- set name = function ~ ('_stored' if input is none else '') -%}
    {%- set what = "Function " ~ name ~ " of " ~ model -%}
    {%- if version is not none -%}
        {%- do exceptions.raise_compiler_error(what ~ ": on Spark only the champion answers, leave out version.") -%}
    {%- endif -%}
    {%- set path = (model | string | replace('`', '')).split('.') -%}
    {%- set found = run_query(
        "select query, defaults, problem from " ~ path[:-1] | join('.') ~ ".`" ~ path[-1] ~ "__functions`"
        ~ " where function_name = '" ~ name ~ "'"
    ).rows -%}
    {%- if not found or found[0][2] -%}
        {%- do exceptions.raise_compiler_error(
            what ~ " is not on Spark" ~ (": " ~ found[0][2] if found) ~ ". See docs/spark.md."
        ) -%}
    {%- endif -%}
    {%- set text = namespace(query=found[0][0]) -%}
    {%- for argument, default in fromjson(found[0][1]).items() -%}
        {%- set given = arguments.get(argument) -%}
        {%- set text.query = text.query | replace(
            '__martlet_argument_' ~ argument, (default if given is none else given) | string | lower
        ) -%}
    {%- endfor -%}
    {{- return('(' ~ text.query | replace('__martlet_the_rows', input | string) ~ ')') -}}
{%- endmacro %}
