{% macro local_timestamp(timestamp, zone=none) -%}
    {{ return(adapter.dispatch('local_timestamp', 'martlet')(
        timestamp, zone or var('martlet_time_zone')
    )) }}
{%- endmacro %}

{% macro default__local_timestamp(timestamp, zone) -%}
    timezone('{{ zone }}', timezone('UTC', {{ timestamp }}))
{%- endmacro %}

{% macro spark__local_timestamp(timestamp, zone) -%}
    from_utc_timestamp({{ timestamp }}, '{{ zone }}')
{%- endmacro %}
