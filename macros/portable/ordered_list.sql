{% macro ordered_list(value, order_by) -%}
    {{ return(adapter.dispatch('ordered_list', 'martlet')(
        value, [order_by] if order_by is string else order_by
    )) }}
{%- endmacro %}

{% macro default__ordered_list(value, order_by) -%}
    list({{ value }} order by {{ order_by | join(', ') }})
{%- endmacro %}

{# Spark has no ordered aggregate: sort structs by their leading fields, then keep the last field. #}
{% macro spark__ordered_list(value, order_by) -%}
    transform(
        array_sort(collect_list(struct({{ order_by | join(', ') }}, {{ value }} as list_item))),
        item -> item.list_item
    )
{%- endmacro %}
