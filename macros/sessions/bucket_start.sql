{# The start of the time bucket an event lies in, in microseconds since 1970. A bucket is as wide as the
   timeout, so two events of one bucket are never further apart than the timeout. #}
{% macro bucket_start(event_at) -%}
    ({{ epoch_microseconds(event_at) }} - ({{ epoch_microseconds(event_at) }} % {{ session_timeout_microseconds() }}))
{%- endmacro %}
