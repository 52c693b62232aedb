{% macro date_add_days(date, days) -%}
    {{ return(adapter.dispatch('date_add_days', 'martlet')(date, days)) }}
{%- endmacro %}

{% macro default__date_add_days(date, days) -%}
    (cast({{ date }} as date) + cast({{ days }} as integer))
{%- endmacro %}

{% macro spark__date_add_days(date, days) -%}
    date_add(cast({{ date }} as date), cast({{ days }} as integer))
{%- endmacro %}
