{# Stores `purchase_intent(input)` in the schema of `relation`: rows with what is known of running visits in, their
   probabilities, values and decision out, by the champion of the moment. Any DuckDB client calls it, also one that
   only reads. #}
{% macro create_purchase_intent_function(relation) -%}
    {{ return(adapter.dispatch('create_purchase_intent_function', 'martlet')(relation)) }}
{%- endmacro %}

{% macro default__create_purchase_intent_function(relation) -%}
{%- endmacro %}

{% macro duckdb__create_purchase_intent_function(relation) -%}
    {%- set fit = ref('ml_intent__fit').include(database=false) -%}
    create or replace macro {{ relation.include(identifier=False) }}.purchase_intent(input) as table (
        select * from {{ fit.include(identifier=false) }}.{{ adapter.quote(fit.identifier ~ '_predict') }}(input)
    )
{%- endmacro %}
