{% macro parse_timestamp(text) -%}
    {{ return(adapter.dispatch('parse_timestamp', 'martlet')(text)) }}
{%- endmacro %}

{# Text without a zone would be read in the zone of the session, and a view is read in any session:
   such text gets its zone, UTC, written out. A zone can only stand after the date (10 characters)
   and the letter T. #}
{% macro default__parse_timestamp(text) -%}
    timezone('UTC', try_cast(
        case
            when regexp_matches(substr(trim({{ text }}), 12), '[A-Za-z+-]') then trim({{ text }})
            when length(trim({{ text }})) = 10 then trim({{ text }}) || ' 00:00:00+00'
            else trim({{ text }}) || '+00'
        end as timestamp with time zone
    ))
{%- endmacro %}

{# Spark reads text without a zone in the session's zone, which the Spark target sets to UTC. #}
{% macro spark__parse_timestamp(text) -%}
    try_cast(regexp_replace(trim({{ text }}), ' ?(UTC|Z)$', '+00:00') as timestamp)
{%- endmacro %}
