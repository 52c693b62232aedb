{# The same day of the month so many months later; the month's last day when it has no such day. #}
{% macro date_add_months(date, months) -%}
    {{ return(adapter.dispatch('date_add_months', 'martlet')(date, months)) }}
{%- endmacro %}

{% macro default__date_add_months(date, months) -%}
    add_months(cast({{ date }} as date), {{ months }})
{%- endmacro %}

{% macro duckdb__date_add_months(date, months) -%}
    cast(cast({{ date }} as date) + to_months(cast({{ months }} as integer)) as date)
{%- endmacro %}
