{# The id of the session that starts with an event: its time (13 hex digits, microseconds since 1970) and the
   leading 15 hex digits of its event_id, which is itself a hash over the visitor, the time and the name.
   Ids sort by start. Who logs in, and when, plays no part. NULL when there is no such event. #}
{% macro session_key(order_key) -%}
    {{ return(adapter.dispatch('session_key', 'martlet')(order_key)) }}
{%- endmacro %}

{% macro default__session_key(order_key) -%}
    lower(to_hex({{ order_key }}))
{%- endmacro %}

{% macro spark__session_key(order_key) -%}
    {{ order_key }}
{%- endmacro %}
