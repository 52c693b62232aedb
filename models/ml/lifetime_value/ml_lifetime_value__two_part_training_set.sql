with

histories as (
    select * from {{ ref('ml_lifetime_value__training_set') }}
),

cadence as (
    select * from {{ ref('ftr_customers__cadence') }}
),

predictions as (
    select * from {{ ref('ml_lifetime_value__predictions') }}
),

outcomes as (
    select * from {{ ref('ml_lifetime_value__outcomes') }}
),

closed_dates as (
    select distinct
        horizon_days,
        as_of_date
    from outcomes
),

numbered_dates as (
    select
        horizon_days,
        as_of_date,
        row_number() over (partition by horizon_days order by as_of_date desc) as place
    from closed_dates
),

-- The last three closed dates are for the test; what is learned from was over before the first.
first_test as (
    select
        horizon_days,
        min(as_of_date) as first_test_date
    from numbered_dates
    where place <= 3
    group by horizon_days
),

-- A horizon without a date to learn from has no rows.
learned_horizons as (
    select distinct
        first_test.horizon_days,
        first_test.first_test_date
    from first_test
    inner join closed_dates
        on first_test.horizon_days = closed_dates.horizon_days
        and {{ date_add_days('closed_dates.as_of_date', 'closed_dates.horizon_days') }}
        <= first_test.first_test_date
),

described as (
    select
        histories.customer_id,
        histories.as_of_date,
        learned_horizons.horizon_days,
        cast(learned_horizons.horizon_days as string) as horizon,
        ln(histories.purchase_day_count) as log_purchase_day_count,
        ln(1 + cadence.days_since_last_order) as log_days_since_last_order,
        ln(1 + histories.age_days) as log_age_days,
        ln(1 + greatest(histories.mean_purchase_amount, 0)) as log_mean_purchase_amount,
        cadence.order_count_90_days,
        cadence.order_count_365_days,
        predictions.alive_probability,
        {{ at_horizon(
            'learned_horizons.horizon_days', 'predictions.no_order_?_days_probability'
        ) }} as no_order_probability,
        {{ at_horizon(
            'learned_horizons.horizon_days', 'predictions.expected_order_count_?_days'
        ) }} as expected_order_count,
        ln(1 + cast(predictions.expected_order_amount as double)) as log_expected_order_amount,
        case when outcomes.spend_amount > 0 then 1 else 0 end as has_ordered,
        case when outcomes.spend_amount > 0 then ln(outcomes.spend_amount) end as log_spend,
        case
            when outcomes.customer_id is null then 'open'
            when
                {{ date_add_days('histories.as_of_date', 'learned_horizons.horizon_days') }}
                <= learned_horizons.first_test_date
                then 'train'
            when histories.as_of_date < learned_horizons.first_test_date then 'gap'
            else 'test'
        end as data_part
    from histories
    inner join cadence
        on histories.customer_id = cadence.customer_id
        and histories.as_of_date = cadence.as_of_date
    inner join predictions
        on histories.customer_id = predictions.customer_id
        and histories.as_of_date = predictions.as_of_date
    cross join learned_horizons
    left join outcomes
        on histories.customer_id = outcomes.customer_id
        and histories.as_of_date = outcomes.as_of_date
        and learned_horizons.horizon_days = outcomes.horizon_days
),

with_forecast as (
    select
        *,
        1 - no_order_probability as order_probability,
        ln(expected_order_count + 0.001) as log_expected_order_count
    from described
)

select * from with_forecast
