with

purchases as (
    select * from {{ ref('ml_recommendations__training_set') }}
),

customers as (
    select * from {{ ref('shop_customers') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

products as (
    select * from {{ ref('int_products__listed') }}
),

versions as (
    select * from {{ ref('ml_recommendations__fit') }}
),

champion as (
    select model_version
    from versions
    where is_champion
),

horizons as (
    select
        model_version,
        horizon_days
    from {{ ml_part(ref('ml_recommendations__fit'), 'probability') }}
),

current_date_of_data as (
    select as_of_date
    from as_of_dates
    where is_current
),

-- Who has bought nothing yet is asked about without a product.
history as (
    select
        customer_id,
        product_id,
        basket_at
    from purchases
    union all
    select
        customers.customer_id,
        cast(null as {{ dbt.type_string() }}) as product_id,
        cast(null as timestamp) as basket_at
    from customers
    cross join current_date_of_data
    where
        not customers.is_test
        and cast(customers.registered_at as date) < current_date_of_data.as_of_date
        and customers.customer_id not in (select purchases.customer_id from purchases)
),

-- More than are shown, as some may no longer be sold.
recommended as (
    select *
    from {{ ml_recommend(
        ref('ml_recommendations__fit'), 'history', n=var('martlet_recommendations') | int + 20
    ) }}
),

sold as (
    select
        recommended.*,
        row_number() over (
            partition by recommended.customer_id order by recommended.rank
        ) as recommendation_rank
    from recommended
    left join products on recommended.product_id = products.product_id
    where {{ can_be_sold('products') }}
),

predictions as (
    select
        sold.customer_id,
        cast(sold.recommendation_rank as integer) as recommendation_rank,
        sold.product_id,
        current_date_of_data.as_of_date,
        sold.score,
        sold.similarity_score,
        sold.frequency_score,
        sold.popularity_score,
        sold.is_repeat,
        sold.cold_start_level,
        sold.reason_product_id,
        sold.probability as purchase_probability,
        case when sold.probability is not null then horizons.horizon_days end
            as probability_horizon_days,
        champion.model_version,
        {{ build_timestamp() }} as predicted_at
    from sold
    cross join champion
    cross join current_date_of_data
    left join horizons on champion.model_version = horizons.model_version
    where sold.recommendation_rank <= {{ var('martlet_recommendations') }}
)

select * from predictions
