with

predictions as (
    select * from {{ ref('ml_recommendations__predictions') }}
),

products as (
    select * from {{ ref('int_products__listed') }}
),

described as (
    select
        predictions.customer_id,
        predictions.recommendation_rank,
        predictions.product_id,
        predictions.as_of_date,
        products.product_name,
        products.category,
        predictions.score,
        predictions.similarity_score,
        predictions.frequency_score,
        predictions.popularity_score,
        predictions.is_repeat,
        case when predictions.is_repeat then 'repeat' else 'discovery' end as recommendation_kind,
        predictions.cold_start_level,
        predictions.reason_product_id,
        coalesce(reasons.product_name, predictions.reason_product_id) as reason_product_name,
        predictions.purchase_probability,
        predictions.probability_horizon_days,
        predictions.model_version,
        predictions.predicted_at,
        greatest(
            predictions.similarity_score,
            predictions.frequency_score,
            predictions.popularity_score
        ) as greatest_score
    from predictions
    left join products on predictions.product_id = products.product_id
    left join products as reasons on predictions.reason_product_id = reasons.product_id
),

-- The reason is the greatest part of the score.
explained as (
    select
        customer_id,
        recommendation_rank,
        product_id,
        as_of_date,
        product_name,
        category,
        score,
        similarity_score,
        frequency_score,
        popularity_score,
        is_repeat,
        recommendation_kind,
        cold_start_level,
        reason_product_id,
        reason_product_name,
        case
            when is_repeat and frequency_score = greatest_score
                then 'The customer bought it before.'
            when reason_product_id is not null and similarity_score = greatest_score
                then 'Customers who bought ' || reason_product_name || ' buy it too.'
            else 'Many customers buy it.'
        end as reason_sentence,
        purchase_probability,
        probability_horizon_days,
        model_version,
        predicted_at
    from described
)

select * from explained
