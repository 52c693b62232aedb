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
    where horizon_days = 90
),

closed_dates as (
    select distinct as_of_date from outcomes
),

numbered_dates as (
    select
        as_of_date,
        row_number() over (order by as_of_date desc) as place
    from closed_dates
),

-- The last three closed dates are for the test; what is learned from was over before the first.
first_test as (
    select min(as_of_date) as first_test_date
    from numbered_dates
    where place <= 3
),

described as (
    select
        histories.customer_id,
        histories.as_of_date,
        ln(histories.purchase_day_count) as log_purchase_day_count,
        ln(1 + cadence.days_since_last_order) as log_days_since_last_order,
        ln(1 + histories.age_days) as log_age_days,
        ln(1 + greatest(histories.mean_purchase_amount, 0)) as log_mean_purchase_amount,
        cadence.order_count_90_days,
        cadence.order_count_365_days,
        predictions.alive_probability,
        1 - predictions.no_order_90_days_probability as order_90_days_probability,
        ln(predictions.expected_order_count_90_days + 0.001) as log_expected_order_count,
        ln(1 + cast(predictions.expected_order_amount as double)) as log_expected_order_amount,
        case when outcomes.spend_amount > 0 then 1 else 0 end as has_ordered,
        case when outcomes.spend_amount > 0 then ln(outcomes.spend_amount) end as log_spend,
        case
            when outcomes.customer_id is null then 'open'
            when {{ date_add_days('histories.as_of_date', 90) }} <= first_test.first_test_date
                then 'train'
            when histories.as_of_date < first_test.first_test_date then 'gap'
            else 'test'
        end as data_part
    from histories
    inner join cadence
        on histories.customer_id = cadence.customer_id
        and histories.as_of_date = cadence.as_of_date
    inner join predictions
        on histories.customer_id = predictions.customer_id
        and histories.as_of_date = predictions.as_of_date
    left join outcomes
        on histories.customer_id = outcomes.customer_id
        and histories.as_of_date = outcomes.as_of_date
    cross join first_test
)

select * from described
