with

scores as (
    select * from {{ ref('ml_next_basket__scores') }}
),

products as (
    select * from {{ ref('int_products__listed') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

{{ sold_scores('basket_rank') }},

predictions as (
    select
        sold.customer_id,
        cast(sold.basket_rank as integer) as basket_rank,
        sold.product_id,
        as_of_dates.as_of_date,
        sold.score,
        sold.similarity_score,
        sold.frequency_score,
        sold.popularity_score,
        sold.is_repeat,
        sold.reason_product_id,
        sold.basket_probability,
        sold.model_version,
        sold.predicted_at
    from sold
    cross join as_of_dates
    where as_of_dates.is_current and sold.basket_rank <= {{ var('martlet_recommendations') }}
)

select * from predictions
