{# One value that orders the events of a visitor by time and then by event_id.

   min() and max() over it find the first and the last event, and joining it back fetches what those events
   say. DuckDB aggregates a whole number many times faster than a pair: microseconds in the upper bits,
   the leading 60 bits of event_id (15 hex digits) in the lower ones. Event ids are md5 sums, so two events
   of one visitor in the same microsecond share those 60 bits once in 10^18 pairs. Spark has no whole numbers so
   long: there it is the same in hexadecimal text. #}
{% macro event_order_key(event_at, event_id) -%}
    {{ return(adapter.dispatch('event_order_key', 'martlet')(event_at, event_id)) }}
{%- endmacro %}

{% macro default__event_order_key(event_at, event_id) -%}
    (cast(epoch_us({{ event_at }}) as hugeint) * 1152921504606846976
        + cast('0x' || substr({{ event_id }}, 1, 15) as bigint))
{%- endmacro %}

{% macro spark__event_order_key(event_at, event_id) -%}
    concat(lpad(lower(hex(unix_micros({{ event_at }}))), 13, '0'), substr({{ event_id }}, 1, 15))
{%- endmacro %}
