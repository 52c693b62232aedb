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
        {% for name, column in [
            ('process_order_count', 'expected_order_count_?_days'),
            ('order_count_lower', 'order_count_?_days_lower'),
            ('order_count_upper', 'order_count_?_days_upper'),
            ('interval_probability', 'order_count_?_days_interval_probability'),
            ('process_spend_amount', 'expected_spend_?_days_amount'),
            ('spend_lower_amount', 'spend_?_days_lower_amount'),
            ('spend_upper_amount', 'spend_?_days_upper_amount'),
        ] %}
            cast(case outcomes.horizon_days
                {% for days in [30, 90, 180, 365] %}
                    when {{ days }} then predictions.{{ column | replace('?', days) }}
                {% endfor %}
            end as double) as {{ name }},
        {% endfor %}
        two_part.expected_spend_amount as two_part_spend_amount
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
        and outcomes.horizon_days = two_part.horizon_days
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
        order_count between order_count_lower and order_count_upper as is_within_interval,
        interval_probability,
        spend_amount between spend_lower_amount and spend_upper_amount as is_within_spend_interval
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
        cast(null as boolean) as is_within_interval,
        cast(null as double) as interval_probability,
        cast(null as boolean) as is_within_spend_interval
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
        cast(null as boolean) as is_within_interval,
        cast(null as double) as interval_probability,
        cast(null as boolean) as is_within_spend_interval
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
        cast(null as boolean) as is_within_interval,
        cast(null as double) as interval_probability,
        cast(null as boolean) as is_within_spend_interval
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
        cast(null as boolean) as is_within_interval,
        cast(null as double) as interval_probability,
        cast(null as boolean) as is_within_spend_interval
    from joined
    where two_part_spend_amount is not null
)

select * from forecasts
