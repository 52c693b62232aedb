-- A date with a fit answers for all its customers; a date without one for none.
with

customers as (
    select * from {{ ref('ml_lifetime_value__training_set') }}
),

predictions as (
    select * from {{ ref('ml_lifetime_value__predictions') }}
),

answered_dates as (
    select distinct as_of_date from predictions
)

select
    customers.customer_id,
    customers.as_of_date
from customers
inner join answered_dates on customers.as_of_date = answered_dates.as_of_date
left join predictions
    on customers.customer_id = predictions.customer_id
    and customers.as_of_date = predictions.as_of_date
where
    predictions.customer_id is null
    or predictions.fitted_as_of_date > predictions.as_of_date
    or predictions.alive_probability not between 0 and 1
    or predictions.no_order_90_days_probability not between 0 and 1
    or predictions.expected_order_count_90_days < 0
    or predictions.order_count_90_days_lower > predictions.order_count_90_days_upper
