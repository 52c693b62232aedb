with

uplifts as (
    select * from {{ ref('ml_retention__predictions') }}
),

churn as (
    select * from {{ ref('ml_churn__predictions') }}
    where is_current
),

features as (
    select * from {{ ref('ftr_customers__churn') }}
),

margin_rates as (
    select * from {{ ref('int_margin_rates__by_customer') }}
),

joined as (
    select
        uplifts.customer_id,
        uplifts.as_of_date,
        churn.churn_probability,
        uplifts.uplift,
        uplifts.treated_probability,
        uplifts.untreated_probability,
        uplifts.response_probability,
        uplifts.uplift_champion,
        uplifts.has_gain,
        -- What one more order leaves.
        greatest(features.average_order_amount * coalesce(margin_rates.margin_rate, 1), 0)
            as order_margin_amount,
        uplifts.model_version,
        uplifts.predicted_at
    from uplifts
    inner join features
        on uplifts.customer_id = features.customer_id
        and uplifts.as_of_date = features.as_of_date
    left join margin_rates
        on uplifts.customer_id = margin_rates.customer_id
        and uplifts.as_of_date = margin_rates.as_of_date
    left join churn on uplifts.customer_id = churn.customer_id
),

-- The offer costs its price with everyone who uses it, and its contact with everyone.
weighed as (
    select
        *,
        uplift * order_margin_amount
        - treated_probability * {{ var('martlet_retention_offer_cost') }}
        - {{ var('martlet_retention_contact_cost') }} as expected_profit_amount
    from joined
),

targets as (
    select
        customer_id,
        as_of_date,
        churn_probability,
        uplift,
        treated_probability,
        untreated_probability,
        response_probability,
        uplift_champion,
        has_gain,
        cast(round(order_margin_amount, 4) as decimal(18, 4)) as order_margin_amount,
        cast(round(expected_profit_amount, 4) as decimal(18, 4)) as expected_profit_amount,
        has_gain and uplift > 0 and expected_profit_amount > 0 as is_persuadable,
        case
            when not has_gain then 'no gain: the experiment does not tell customers apart'
            when uplift < 0 then 'leave alone: the offer may do harm'
            when expected_profit_amount > 0 then 'persuadable: the offer pays'
            else 'leave alone: the offer costs more than it brings'
        end as verdict,
        {{ is_in_retention_holdout('customer_id') }} as is_in_holdout,
        cast(row_number() over (
            order by uplift desc, customer_id
        ) as integer) as uplift_rank,
        cast(row_number() over (
            order by response_probability desc, customer_id
        ) as integer) as response_rank,
        model_version,
        predicted_at
    from weighed
)

select * from targets
