with

purchases as (
    select * from {{ ref('ml_recommendations__training_set') }}
),

products as (
    select * from {{ ref('int_products__listed') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

versions as (
    select * from {{ ref('ml_next_basket__fit') }}
),

champion as (
    select model_version
    from versions
    where is_champion
),

-- More than are shown, as some may no longer be sold.
recommended as (
    select *
    from {{ ml_recommend(
        ref('ml_next_basket__fit'), 'purchases', n=var('martlet_recommendations') | int + 20
    ) }}
),

sold as (
    select
        recommended.*,
        row_number() over (
            partition by recommended.customer_id order by recommended.rank
        ) as basket_rank
    from recommended
    left join products on recommended.product_id = products.product_id
    where {{ can_be_sold('products') }}
),

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
        sold.probability as basket_probability,
        champion.model_version,
        {{ build_timestamp() }} as predicted_at
    from sold
    cross join champion
    cross join as_of_dates
    where as_of_dates.is_current and sold.basket_rank <= {{ var('martlet_recommendations') }}
)

select * from predictions
