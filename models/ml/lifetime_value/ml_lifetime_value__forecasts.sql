{#- Each method with its expected orders and spend; only the process has intervals. -#}
{%- set methods = [
    ('purchase_process', 'process_order_count', 'process_spend_amount'),
    (
        'rate_times_average_order',
        'order_count_at_rate',
        'order_count_at_rate * mean_purchase_amount',
    ),
    ('last_period', 'cast(previous_order_count as double)', 'previous_spend_amount'),
    ('two_part', 'cast(null as double)', 'two_part_spend_amount'),
    (
        'mean_of_process_and_two_part',
        'cast(null as double)',
        '(process_spend_amount + two_part_spend_amount) / 2',
    ),
] -%}
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
            cast({{ at_horizon('outcomes.horizon_days', 'predictions.' ~ column) }} as double)
                as {{ name }},
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
    {% for method, orders, spend in methods %}
        select
            customer_id,
            as_of_date,
            horizon_days,
            '{{ method }}' as forecast_method,
            {{ orders }} as expected_order_count,
            {{ spend }} as expected_spend_amount,
            order_count,
            spend_amount,
            {% if method == 'purchase_process' %}
                order_count between order_count_lower and order_count_upper as is_within_interval,
                interval_probability,
                spend_amount between spend_lower_amount and spend_upper_amount
                    as is_within_spend_interval
            {% else %}
                cast(null as boolean) as is_within_interval,
                cast(null as double) as interval_probability,
                cast(null as boolean) as is_within_spend_interval
            {% endif %}
        from joined
        {% if 'two_part' in method %} where two_part_spend_amount is not null {% endif %}
        {% if not loop.last %} union all {% endif %}
    {% endfor %}
)

select * from forecasts
