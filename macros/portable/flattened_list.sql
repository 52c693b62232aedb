{# An aggregate: lists put together to one list. #}
{% macro flattened_list(lists) -%}
    {{ return(adapter.dispatch('flattened_list', 'martlet')(lists)) }}
{%- endmacro %}

{% macro default__flattened_list(lists) -%}
    flatten(list({{ lists }}) filter (where {{ lists }} is not null))
{%- endmacro %}

{% macro spark__flattened_list(lists) -%}
    flatten(collect_list({{ lists }}))
{%- endmacro %}
