with

features as (
    select * from {{ ref('ftr_customer_products__propensity') }}
),

outcomes as (
    select * from {{ ref('ml_propensity__outcomes') }}
),

counted as (
    select
        cast(count(case when is_bought then 1 end) as double) as bought_count,
        nullif(count(case when not is_bought then 1 end), 0) as not_bought_count
    from outcomes
    where cutoff_role = 'train'
),

-- Twenty pairs that were not bought for each that was teach as much as all of them, and so do
-- 150,000 of a larger shop's, unless twice as many were bought.
shares as (
    select
        least(
            1.0e0,
            20.0e0 * bought_count / not_bought_count,
            greatest(150000.0e0, 2 * bought_count) / not_bought_count
        ) as kept_share
    from counted
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
