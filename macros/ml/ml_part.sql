{# The rows of a companion table of a fitted model (`<model>__<part>`), of the champion or a pinned version. #}
{% macro ml_part(model, part, version=none) -%}
    {%- if model is string -%}
        {%- set path = model.split('.') -%}
        {%- set relation = model -%}
        {%- set table = (path[:-1] + [adapter.quote(path[-1] ~ '__' ~ part)]) | join('.') -%}
    {%- else -%}
        {%- set relation = model -%}
        {%- set table = model.include(identifier=False) ~ '.' ~ adapter.quote(model.identifier ~ '__' ~ part) -%}
    {%- endif -%}
    {%- set wanted = version if version is not none else '(select model_version from ' ~ relation ~ ' where is_champion)' -%}
    {{- '(select * from ' ~ table ~ ' where model_version = ' ~ wanted ~ ')' -}}
{%- endmacro %}
