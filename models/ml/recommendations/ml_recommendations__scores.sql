{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ forget_changed_customers(ref('ml_recommendations__fit')) }}",
    post_hook=["{{ score_further_parts() }}", "{{ log_scored_customers(this) }}"]
) }}

with

purchases as (
    select * from {{ ref('ml_recommendations__training_set') }}
),

-- Who has bought nothing yet is asked about too.
{{ customer_scores(ref('ml_recommendations__fit'), 'purchase_probability', newcomers=true) }}

select * from customer_scores
