{#
    The steps of a table of scores, last `customer_scores`: the best products of every customer whose scoring key is
    not stored yet, by the function `recommend` of the fitted model. With `newcomers` also of those who have bought
    nothing, of whom `cold_start_level` then tells. A step named `purchases` stands before it.
#}
{% macro customer_scores(fit, probability, newcomers=false) -%}
{{ scoring_keys(fit) }},

to_score as (
    select *
    from scoring_keys
    where
        {{ scoring_part('customer_id') }}
        {%- if is_incremental() %}
        and customer_id not in (select stored.customer_id from {{ this }} as stored)
        {%- endif %}
),

history as (
    select
        to_score.customer_id,
        purchases.product_id,
        purchases.basket_at
    from to_score
    {{ 'left' if newcomers else 'inner' }} join purchases on to_score.customer_id = purchases.customer_id
),

recommended as (
    select * from {{ ml_recommend(fit, 'history', n=kept_recommendations()) }}
),

customer_scores as (
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
        {%- if newcomers %}
        recommended.cold_start_level,
        {%- endif %}
        recommended.reason_product_id,
        recommended.probability as {{ probability }},
        to_score.scoring_key,
        to_score.model_version,
        {{ build_timestamp() }} as predicted_at
    from recommended
    inner join to_score on recommended.customer_id = to_score.customer_id
)
{%- endmacro %}
