{# NULL with the type of an order key. #}
{% macro no_order_key() -%}
    {{ return(adapter.dispatch('no_order_key', 'martlet')()) }}
{%- endmacro %}

{% macro default__no_order_key() -%}
    cast(null as hugeint)
{%- endmacro %}

{% macro spark__no_order_key() -%}
    cast(null as string)
{%- endmacro %}
