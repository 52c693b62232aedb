with

scores as (
    select * from {{ ref('ml_recommendations__scores') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

products as (
    select * from {{ ref('int_products__listed') }}
),

horizons as (
    select
        model_version,
        horizon_days
    from {{ ml_part(ref('ml_recommendations__fit'), 'probability') }}
),

{{ sold_scores('recommendation_rank') }},

predictions as (
    select
        sold.customer_id,
        cast(sold.recommendation_rank as integer) as recommendation_rank,
        sold.product_id,
        as_of_dates.as_of_date,
        sold.score,
        sold.similarity_score,
        sold.frequency_score,
        sold.popularity_score,
        sold.is_repeat,
        sold.cold_start_level,
        sold.reason_product_id,
        sold.purchase_probability,
        case when sold.purchase_probability is not null then horizons.horizon_days end
            as probability_horizon_days,
        sold.model_version,
        sold.predicted_at
    from sold
    cross join as_of_dates
    left join horizons on sold.model_version = horizons.model_version
    where
        as_of_dates.is_current
        and sold.recommendation_rank <= {{ var('martlet_recommendations') }}
)

select * from predictions
