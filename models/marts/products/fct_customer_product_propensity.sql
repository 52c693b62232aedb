with

predictions as (
    select * from {{ ref('ml_propensity__predictions') }}
    where is_current
),

reasons as (
    select * from {{ ref('ml_propensity__reasons') }}
),

products as (
    select * from {{ ref('int_products__listed') }}
),

-- What is no longer sold cannot be bought.
sold as (
    select
        predictions.*,
        products.product_name,
        products.category
    from predictions
    left join products on predictions.product_id = products.product_id
    where {{ can_be_sold('products') }}
),

ranked as (
    select
        *,
        row_number() over (
            partition by customer_id order by purchase_probability desc, product_id
        ) as propensity_rank,
        ntile(10) over (
            order by purchase_probability desc, customer_id, product_id
        ) as propensity_decile
    from sold
),

described as (
    select
        ranked.customer_id,
        ranked.product_id,
        ranked.as_of_date,
        ranked.label_until as purchase_until_date,
        ranked.product_name,
        ranked.category,
        ranked.purchase_probability,
        cast({{ days_between('ranked.as_of_date', 'ranked.label_until') }} as integer)
            as probability_horizon_days,
        cast(ranked.propensity_rank as integer) as propensity_rank,
        cast(ranked.propensity_decile as integer) as propensity_decile,
        ranked.cold_start_level,
        ranked.candidate_source,
        reasons.reason_1,
        reasons.reason_2,
        reasons.reason_3,
        ranked.model_version,
        ranked.predicted_at
    from ranked
    left join reasons
        on ranked.customer_id = reasons.customer_id and ranked.product_id = reasons.product_id
)

select * from described
