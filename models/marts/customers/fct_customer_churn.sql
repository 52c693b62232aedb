with

predictions as (
    select * from {{ ref('ml_churn__predictions') }}
    where is_current
),

features as (
    select * from {{ ref('ftr_customers__churn') }}
),

return_times as (
    select * from {{ ref('ml_churn__return_times') }}
),

margin_rates as (
    select * from {{ ref('int_margin_rates__by_customer') }}
),

reasons as (
    select * from {{ ref('ml_churn__reasons') }}
),

named_reasons as (
    select
        customer_id,
        max(case when reason_rank = 1 then reason end) as reason_1,
        max(case when reason_rank = 2 then reason end) as reason_2,
        max(case when reason_rank = 3 then reason end) as reason_3
    from reasons
    group by customer_id
),

valued as (
    select
        predictions.customer_id,
        predictions.as_of_date,
        predictions.horizon_days,
        predictions.churn_probability,
        predictions.model_version,
        predictions.predicted_at,
        features.recency_days,
        features.rfm_segment,
        greatest(features.spend_amount_365_days * coalesce(margin_rates.margin_rate, 1), 0)
            as yearly_margin_amount,
        return_times.order_365_days_probability,
        return_times.median_days_to_next_order,
        return_times.expected_days_to_next_order,
        named_reasons.reason_1,
        named_reasons.reason_2,
        named_reasons.reason_3
    from predictions
    inner join features
        on predictions.customer_id = features.customer_id
        and predictions.as_of_date = features.as_of_date
    left join margin_rates
        on predictions.customer_id = margin_rates.customer_id
        and predictions.as_of_date = margin_rates.as_of_date
    left join return_times on predictions.customer_id = return_times.customer_id
    left join named_reasons on predictions.customer_id = named_reasons.customer_id
),

-- The offer is paid for by everyone who stays, also by those who would have stayed without it.
weighed as (
    select
        *,
        churn_probability * yearly_margin_amount as value_at_risk_amount,
        churn_probability * {{ var('martlet_retention_success_rate') }}
        * (yearly_margin_amount - {{ var('martlet_retention_offer_cost') }})
        - (1 - churn_probability) * {{ var('martlet_retention_offer_cost') }}
        - {{ var('martlet_retention_contact_cost') }} as expected_offer_profit_amount
    from valued
),

churn as (
    select
        customer_id,
        as_of_date,
        horizon_days,
        churn_probability,
        case
            when churn_probability >= 0.8 then 'very high'
            when churn_probability >= 0.6 then 'high'
            when churn_probability >= 0.4 then 'medium'
            when churn_probability >= 0.2 then 'low'
            else 'very low'
        end as risk_band,
        order_365_days_probability,
        median_days_to_next_order,
        expected_days_to_next_order,
        cast(recency_days as integer) as days_since_last_order,
        rfm_segment,
        reason_1,
        reason_2,
        reason_3,
        cast(round(yearly_margin_amount, 4) as decimal(18, 4)) as yearly_margin_amount,
        cast(round(value_at_risk_amount, 4) as decimal(18, 4)) as value_at_risk_amount,
        cast(round(expected_offer_profit_amount, 4) as decimal(18, 4))
            as expected_offer_profit_amount,
        case when expected_offer_profit_amount > 0 then 'send an offer' else 'leave alone' end
            as suggested_action,
        expected_offer_profit_amount > 0
        and {{ is_in_retention_holdout('customer_id') }} as is_in_holdout,
        model_version,
        predicted_at
    from weighed
)

select * from churn
