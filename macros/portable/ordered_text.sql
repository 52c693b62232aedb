{% macro ordered_text(value, order_by, separator=', ') -%}
    {{ return(adapter.dispatch('ordered_text', 'martlet')(
        value, [order_by] if order_by is string else order_by, separator
    )) }}
{%- endmacro %}

{% macro default__ordered_text(value, order_by, separator) -%}
    string_agg({{ value }}, '{{ separator }}' order by {{ order_by | join(', ') }})
{%- endmacro %}

{% macro spark__ordered_text(value, order_by, separator) -%}
    array_join({{ spark__ordered_list(value, order_by) }}, '{{ separator }}')
{%- endmacro %}
