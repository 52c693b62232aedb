{# The sum of the products of two lists of numbers of one length; NULL when either is. #}
{% macro inner_product(first, second) -%}
    {{ return(adapter.dispatch('inner_product', 'martlet')(first, second)) }}
{%- endmacro %}

{% macro default__inner_product(first, second) -%}
    list_inner_product({{ first }}, {{ second }})
{%- endmacro %}

{% macro spark__inner_product(first, second) -%}
    {#- Sail has no zip_with(). -#}
    aggregate(transform({{ first }}, (x, i) -> x * get({{ second }}, i)), 0e0, (a, x) -> a + x)
{%- endmacro %}
