with

features as (
    select * from {{ ref('ftr_orders__risk') }}
),

versions as (
    select model_version
    from {{ ref('ml_order_risk__fit') }}
    where is_champion
),

explained as (
    select * from {{
        ml_explain_predict(ref('ml_order_risk__fit'), 'features', top_k_features=100)
    }}
),

predictions as (
    select
        explained.order_id,
        explained.as_of_date,
        -- Baseline and attributions add up to the log-odds.
        1 / (1 + exp(-explained.prediction_value)) as fraud_probability,
        {{ order_risk_reasons('explained.top_feature_attributions') }} as reasons,
        versions.model_version,
        {{ build_timestamp() }} as predicted_at
    from explained
    cross join versions
)

select * from predictions
