{# The time of the event an order key belongs to, in microseconds since 1970. #}
{% macro order_key_microseconds(order_key) -%}
    {{ return(adapter.dispatch('order_key_microseconds', 'martlet')(order_key)) }}
{%- endmacro %}

{% macro default__order_key_microseconds(order_key) -%}
    cast({{ order_key }} >> 60 as bigint)
{%- endmacro %}

{% macro spark__order_key_microseconds(order_key) -%}
    cast(conv(substr({{ order_key }}, 1, 13), 16, 10) as bigint)
{%- endmacro %}
