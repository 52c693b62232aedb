with

orders_foretold as (
    select *
    from {{ ml_predict(
        ref('ml_lifetime_value__order_fit'), ref('ml_lifetime_value__two_part_training_set')
    ) }}
),

spend_foretold as (
    select *
    from {{ ml_predict(
        ref('ml_lifetime_value__order_spend_fit'), ref('ml_lifetime_value__two_part_training_set')
    ) }}
),

versions as (
    select * from {{ ref('ml_lifetime_value__order_fit') }}
),

-- Duan's smearing: the mean of a logarithm's errors, back in money.
smearing as (
    select
        horizon_days,
        avg(exp(log_spend - predicted_log_spend)) as factor
    from spend_foretold
    where data_part = 'train' and has_ordered = 1
    group by horizon_days
),

predictions as (
    select
        orders_foretold.customer_id,
        orders_foretold.as_of_date,
        orders_foretold.horizon_days,
        orders_foretold.data_part,
        {{ first_of_list('orders_foretold.predicted_has_ordered_probs') }}.prob
            as order_probability,
        exp(spend_foretold.predicted_log_spend) * smearing.factor as spend_if_ordered_amount,
        versions.model_version,
        {{ build_timestamp() }} as predicted_at
    from orders_foretold
    inner join spend_foretold
        on orders_foretold.customer_id = spend_foretold.customer_id
        and orders_foretold.as_of_date = spend_foretold.as_of_date
        and orders_foretold.horizon_days = spend_foretold.horizon_days
    inner join smearing on orders_foretold.horizon_days = smearing.horizon_days
    inner join versions on versions.is_champion
    -- Rows it has learned from, and those whose outcome was not over before it did, say nothing.
    where orders_foretold.data_part in ('test', 'open')
),

with_spend as (
    select
        customer_id,
        as_of_date,
        horizon_days,
        data_part,
        order_probability,
        spend_if_ordered_amount,
        order_probability * spend_if_ordered_amount as expected_spend_amount,
        model_version,
        predicted_at
    from predictions
)

select * from with_spend
