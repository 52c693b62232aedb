{% macro timestamp_from_microseconds(microseconds) -%}
    {{ return(adapter.dispatch('timestamp_from_microseconds', 'martlet')(microseconds)) }}
{%- endmacro %}

{% macro default__timestamp_from_microseconds(microseconds) -%}
    make_timestamp(cast({{ microseconds }} as bigint))
{%- endmacro %}

{% macro spark__timestamp_from_microseconds(microseconds) -%}
    timestamp_micros(cast({{ microseconds }} as bigint))
{%- endmacro %}
