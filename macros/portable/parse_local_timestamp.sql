{% macro parse_local_timestamp(text) -%}
    {{ return(adapter.dispatch('parse_local_timestamp', 'martlet')(text)) }}
{%- endmacro %}

{# Slashes are looked for first: a cast takes 12/1/10 for a day in the year 12. #}
{% macro default__parse_local_timestamp(text) -%}
    case
        when {{ text }} like '%/%'
            then try_strptime({{ text }}, [
                '%m/%d/%y %H:%M', '%m/%d/%Y %H:%M', '%m/%d/%y %H:%M:%S', '%m/%d/%Y %H:%M:%S'
            ])
        else try_cast({{ text }} as timestamp)
    end
{%- endmacro %}

{% macro spark__parse_local_timestamp(text) -%}
    coalesce(
        try_to_timestamp({{ text }}, 'M/d/yy H:mm'),
        try_to_timestamp({{ text }}, 'M/d/yyyy H:mm'),
        try_to_timestamp({{ text }}, 'M/d/yy H:mm:ss'),
        try_to_timestamp({{ text }}, 'M/d/yyyy H:mm:ss'),
        try_cast({{ text }} as timestamp)
    )
{%- endmacro %}
