{#
    The call of a stored function of a fitted model. Nothing is looked up: the name follows from the
    model's, so this works when the model has never been built.
#}
{% macro ml_stored_function(model, function, input=none, arguments={}, version=none) -%}
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
