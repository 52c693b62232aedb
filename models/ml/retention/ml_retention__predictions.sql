with

features as (
    select * from {{ ref('ftr_customers__churn') }}
),

versions as (
    select * from {{ ref('ml_retention__fit') }}
),

customers as (
    select
        {{ retention_features('features') }}
    from features
    where is_current and recency_days <= {{ var('martlet_churn_active_days') }}
),

predicted as (
    select * from {{ ml_uplift(ref('ml_retention__fit'), 'customers') }}
),

predictions as (
    select
        predicted.customer_id,
        predicted.as_of_date,
        predicted.uplift,
        predicted.treated_probability,
        predicted.untreated_probability,
        predicted.response_probability,
        predicted.uplift_champion,
        predicted.has_gain,
        versions.model_version,
        {{ build_timestamp() }} as predicted_at
    from predicted
    inner join versions on versions.is_champion
)

select * from predictions
