{% macro utc_timestamp(timestamp, zone) -%}
    {{ return(adapter.dispatch('utc_timestamp', 'martlet')(timestamp, zone)) }}
{%- endmacro %}

{% macro default__utc_timestamp(timestamp, zone) -%}
    timezone('UTC', timezone('{{ zone }}', {{ timestamp }}))
{%- endmacro %}

{% macro spark__utc_timestamp(timestamp, zone) -%}
    to_utc_timestamp({{ timestamp }}, '{{ zone }}')
{%- endmacro %}
