{% macro seconds_between(start, end) -%}
    {{ return(adapter.dispatch('seconds_between', 'martlet')(start, end)) }}
{%- endmacro %}

{% macro default__seconds_between(start, end) -%}
    ((epoch_us({{ end }}) - epoch_us({{ start }})) / cast(1000000 as double))
{%- endmacro %}

{% macro spark__seconds_between(start, end) -%}
    ((unix_micros({{ end }}) - unix_micros({{ start }})) / cast(1000000 as double))
{%- endmacro %}
