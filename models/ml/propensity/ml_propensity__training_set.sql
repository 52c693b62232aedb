with

features as (
    select * from {{ ref('ftr_customer_products__propensity') }}
),

outcomes as (
    select * from {{ ref('ml_propensity__outcomes') }}
),

-- Twenty pairs that were not bought for each that was teach as much as all of them.
shares as (
    select
        least(
            1.0e0,
            20.0e0 * count(case when is_bought then 1 end)
            / nullif(count(case when not is_bought then 1 end), 0)
        ) as kept_share
    from outcomes
    where cutoff_role = 'train'
),

kept as (
    select
        outcomes.customer_id,
        outcomes.product_id,
        outcomes.as_of_date,
        outcomes.cutoff_role = 'test' as is_test,
        outcomes.is_bought,
        shares.kept_share
    from outcomes
    cross join shares
    where
        outcomes.is_bought
        or {{ hash_number(
            "concat(cast(outcomes.as_of_date as " ~ dbt.type_string()
            ~ "), ' ', outcomes.customer_id, ' ', outcomes.product_id)"
        ) }} % 10000 < 10000 * shares.kept_share
),

training_set as (
    select
        features.*,
        kept.is_test,
        kept.is_bought,
        kept.kept_share
    from kept
    inner join features
        on kept.as_of_date = features.as_of_date
        and kept.customer_id = features.customer_id
        and kept.product_id = features.product_id
)

select * from training_set
