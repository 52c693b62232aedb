with

open_baskets as (
    select * from {{ ref('int_baskets__open') }}
),

versions as (
    select * from {{ ref('ml_basket__fit') }}
),

champion as (
    select model_version
    from versions
    where is_champion
),

baskets as (
    select
        basket_id,
        min(as_of_date) as as_of_date,
        min(basket_kind) as basket_kind,
        min(visitor_id) as visitor_id,
        min(customer_id) as customer_id,
        min(basket_at) as basket_at,
        count(*) as basket_size
    from open_baskets
    group by basket_id
),

completions as (
    select * from {{ ml_predict(ref('ml_basket__fit'), 'open_baskets') }}
),

predictions as (
    select
        completions.basket_id,
        completions.rank as suggestion_rank,
        completions.predicted_product_id as product_id,
        baskets.as_of_date,
        baskets.basket_kind,
        baskets.visitor_id,
        baskets.customer_id,
        baskets.basket_at,
        baskets.basket_size,
        completions.predicted_product_id_probability as added_probability,
        completions.reason_product_id as reason_product_ids,
        completions.reason_lift,
        champion.model_version,
        {{ build_timestamp() }} as predicted_at
    from completions
    inner join baskets on completions.basket_id = baskets.basket_id
    cross join champion
    where completions.rank <= {{ var('martlet_basket_suggestions') }}
)

select * from predictions
