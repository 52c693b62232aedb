with

versions as (
    select * from {{ ref('ml_churn__fit') }}
),

horizons as (
    select * from {{ ref('int_churn_horizons__compared') }}
),

features as (
    select
        *,
        cast(extract(month from as_of_date) as string) as as_of_month
    from {{ ref('ftr_customers__churn') }}
    where recency_days <= {{ var('martlet_churn_active_days') }}
),

predicted as (
    select * from {{ ml_predict(ref('ml_churn__fit'), 'features') }}
),

predictions as (
    select
        predicted.customer_id,
        predicted.as_of_date,
        predicted.is_current,
        horizons.horizon_days,
        -- The first of two is the positive class.
        {{ list_element('predicted.predicted_is_churned_probs', 1) }}.prob as churn_probability,
        versions.model_version,
        {{ build_timestamp() }} as predicted_at
    from predicted
    inner join versions on versions.is_champion
    inner join horizons on horizons.is_chosen
)

select * from predictions
