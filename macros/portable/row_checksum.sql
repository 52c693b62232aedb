{# An aggregate: one number over the rows that does not depend on their order and changes when a value does.
   For noticing a change, not for keeping: each engine has its own number. #}
{% macro row_checksum(columns) -%}
    {{ return(adapter.dispatch('row_checksum', 'martlet')(columns)) }}
{%- endmacro %}

{% macro default__row_checksum(columns) -%}
    cast(sum(hash({{ columns | join(', ') }}) % 1000000007) as bigint)
{%- endmacro %}

{% macro spark__row_checksum(columns) -%}
    cast(sum(pmod(xxhash64({{ columns | join(', ') }}), 1000000007)) as bigint)
{%- endmacro %}
