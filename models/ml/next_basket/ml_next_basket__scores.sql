{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook="{{ forget_changed_customers(ref('ml_next_basket__fit')) }}",
    post_hook=["{{ score_further_parts() }}", "{{ log_scored_customers(this) }}"]
) }}

with

purchases as (
    select * from {{ ref('ml_recommendations__training_set') }}
),

{{ scoring_keys(ref('ml_next_basket__fit')) }},

to_score as (
    select *
    from scoring_keys
    where
        {{ scoring_part('customer_id') }}
        {%- if is_incremental() %}
        and customer_id not in (select stored.customer_id from {{ this }} as stored)
        {%- endif %}
),

-- Who has bought nothing has no next basket yet.
history as (
    select
        to_score.customer_id,
        purchases.product_id,
        purchases.basket_at
    from to_score
    inner join purchases on to_score.customer_id = purchases.customer_id
),

recommended as (
    select *
    from {{ ml_recommend(
        ref('ml_next_basket__fit'), 'history', n=kept_recommendations()
    ) }}
),

scores as (
    select
        recommended.customer_id,
        recommended.rank as score_rank,
        recommended.product_id,
        to_score.as_of_date,
        recommended.score,
        recommended.similarity_score,
        recommended.frequency_score,
        recommended.popularity_score,
        recommended.is_repeat,
        recommended.reason_product_id,
        recommended.probability as basket_probability,
        to_score.scoring_key,
        to_score.model_version,
        {{ build_timestamp() }} as predicted_at
    from recommended
    inner join to_score on recommended.customer_id = to_score.customer_id
)

select * from scores
