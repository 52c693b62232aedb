with

outcomes as (
    select * from {{ ref('ml_lifetime_value__outcomes') }}
),

histories as (
    select * from {{ ref('ml_lifetime_value__training_set') }}
),

predictions as (
    select * from {{ ref('ml_lifetime_value__predictions') }}
),

two_part as (
    select * from {{ ref('ml_lifetime_value__two_part_predictions') }}
    where data_part = 'test'
),

joined as (
    select
        outcomes.*,
        -- One day is the least that is known of a rate.
        cast(histories.repeat_purchase_count as double)
        / greatest(histories.age_days, 1) * outcomes.horizon_days as order_count_at_rate,
        greatest(histories.mean_purchase_amount, 0) as mean_purchase_amount,
        case
            when outcomes.horizon_days = 90 then predictions.expected_order_count_90_days
            else predictions.expected_order_count_180_days
        end as process_order_count,
        case
            when outcomes.horizon_days = 90 then predictions.order_count_90_days_lower
            else predictions.order_count_180_days_lower
        end as order_count_lower,
        case
            when outcomes.horizon_days = 90 then predictions.order_count_90_days_upper
            else predictions.order_count_180_days_upper
        end as order_count_upper,
        cast(case
            when outcomes.horizon_days = 90 then predictions.expected_spend_90_days_amount
            else predictions.expected_spend_180_days_amount
        end as double) as process_spend_amount,
        case
            when outcomes.horizon_days = 90 then two_part.expected_spend_90_days_amount
        end as two_part_spend_amount
    from outcomes
    inner join histories
        on outcomes.customer_id = histories.customer_id
        and outcomes.as_of_date = histories.as_of_date
    inner join predictions
        on outcomes.customer_id = predictions.customer_id
        and outcomes.as_of_date = predictions.as_of_date
    left join two_part
        on outcomes.customer_id = two_part.customer_id
        and outcomes.as_of_date = two_part.as_of_date
),

forecasts as (
    select
        customer_id,
        as_of_date,
        horizon_days,
        'purchase_process' as forecast_method,
        process_order_count as expected_order_count,
        process_spend_amount as expected_spend_amount,
        order_count,
        spend_amount,
        order_count between order_count_lower and order_count_upper as is_within_interval
    from joined
    union all
    select
        customer_id,
        as_of_date,
        horizon_days,
        'rate_times_average_order' as forecast_method,
        order_count_at_rate as expected_order_count,
        order_count_at_rate * mean_purchase_amount as expected_spend_amount,
        order_count,
        spend_amount,
        cast(null as boolean) as is_within_interval
    from joined
    union all
    select
        customer_id,
        as_of_date,
        horizon_days,
        'last_period' as forecast_method,
        cast(previous_order_count as double) as expected_order_count,
        previous_spend_amount as expected_spend_amount,
        order_count,
        spend_amount,
        cast(null as boolean) as is_within_interval
    from joined
    union all
    select
        customer_id,
        as_of_date,
        horizon_days,
        'two_part' as forecast_method,
        cast(null as double) as expected_order_count,
        two_part_spend_amount as expected_spend_amount,
        order_count,
        spend_amount,
        cast(null as boolean) as is_within_interval
    from joined
    where two_part_spend_amount is not null
    union all
    select
        customer_id,
        as_of_date,
        horizon_days,
        'mean_of_process_and_two_part' as forecast_method,
        cast(null as double) as expected_order_count,
        (process_spend_amount + two_part_spend_amount) / 2 as expected_spend_amount,
        order_count,
        spend_amount,
        cast(null as boolean) as is_within_interval
    from joined
    where two_part_spend_amount is not null
)

select * from forecasts
