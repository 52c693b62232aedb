with

values_known as (
    select * from {{ ref('ftr_customers__lifetime_value') }}
),

versions as (
    select * from {{ ref('ml_lifetime_value__fit') }}
),

spend_versions as (
    select * from {{ ref('ml_lifetime_value__spend_fit') }}
),

orders_foretold as (
    select *
    from {{ ml_predict(ref('ml_lifetime_value__fit'), ref('ml_lifetime_value__training_set')) }}
),

spend_foretold as (
    select
        customer_id,
        as_of_date,
        predicted_order_value
    from {{ ml_predict(
        ref('ml_lifetime_value__spend_fit'), ref('ml_lifetime_value__training_set')
    ) }}
),

-- What is left of a unit of gross revenue after returns and cost, of all customers of the date.
margin_rates as (
    select
        as_of_date,
        cast(sum(margin_amount) as double)
        / nullif(cast(sum(gross_revenue_amount) as double), 0) as margin_rate
    from values_known
    where margin_amount is not null
    group by as_of_date
),

joined as (
    select
        orders_foretold.*,
        spend_foretold.predicted_order_value,
        spend_foretold.predicted_order_value * margin_rates.margin_rate as order_margin,
        versions.model_version,
        spend_versions.model_version as spend_model_version
    from orders_foretold
    left join spend_foretold
        on orders_foretold.customer_id = spend_foretold.customer_id
        and orders_foretold.as_of_date = spend_foretold.as_of_date
    left join margin_rates on orders_foretold.as_of_date = margin_rates.as_of_date
    inner join versions on versions.is_champion and versions.status <> 'insufficient_data'
    inner join spend_versions on spend_versions.is_champion
),

predictions as (
    select
        customer_id,
        as_of_date,
        is_current,
        fit_family as model_family,
        fit_as_of_date as fitted_as_of_date,
        predicted_alive_probability as alive_probability,
        predicted_purchases_30 as expected_order_count_30_days,
        predicted_purchases_90 as expected_order_count_90_days,
        predicted_purchases_180 as expected_order_count_180_days,
        predicted_purchases_365 as expected_order_count_365_days,
        cast(predicted_purchases_30_lower as bigint) as order_count_30_days_lower,
        cast(predicted_purchases_90_lower as bigint) as order_count_90_days_lower,
        cast(predicted_purchases_180_lower as bigint) as order_count_180_days_lower,
        cast(predicted_purchases_365_lower as bigint) as order_count_365_days_lower,
        cast(predicted_purchases_30_upper as bigint) as order_count_30_days_upper,
        cast(predicted_purchases_90_upper as bigint) as order_count_90_days_upper,
        cast(predicted_purchases_180_upper as bigint) as order_count_180_days_upper,
        cast(predicted_purchases_365_upper as bigint) as order_count_365_days_upper,
        predicted_no_purchase_probability_30 as no_order_30_days_probability,
        predicted_no_purchase_probability_90 as no_order_90_days_probability,
        predicted_no_purchase_probability_180 as no_order_180_days_probability,
        predicted_no_purchase_probability_365 as no_order_365_days_probability,
        cast(predicted_order_value as decimal(18, 4)) as expected_order_amount,
        cast(predicted_purchases_30 * predicted_order_value as decimal(18, 4))
            as expected_spend_30_days_amount,
        cast(predicted_purchases_90 * predicted_order_value as decimal(18, 4))
            as expected_spend_90_days_amount,
        cast(predicted_purchases_180 * predicted_order_value as decimal(18, 4))
            as expected_spend_180_days_amount,
        cast(predicted_purchases_365 * predicted_order_value as decimal(18, 4))
            as expected_spend_365_days_amount,
        cast(predicted_purchases_30 * order_margin as decimal(18, 4))
            as expected_margin_30_days_amount,
        cast(predicted_purchases_90 * order_margin as decimal(18, 4))
            as expected_margin_90_days_amount,
        cast(predicted_purchases_180 * order_margin as decimal(18, 4))
            as expected_margin_180_days_amount,
        cast(predicted_purchases_365 * order_margin as decimal(18, 4))
            as expected_margin_365_days_amount,
        model_version,
        spend_model_version,
        {{ build_timestamp() }} as predicted_at
    from joined
    -- The data of the first dates may be too thin for a fit.
    where predicted_alive_probability is not null
)

select * from predictions
