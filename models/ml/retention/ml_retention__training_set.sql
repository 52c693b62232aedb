with

exposures as (
    select * from {{ ref('shop_experiment_exposures') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

features as (
    select * from {{ ref('ftr_customers__churn') }}
),

orders as (
    select * from {{ ref('int_orders__enriched') }}
),

-- The first time a customer came into an experiment decides the arm.
first_exposures as (
    select
        experiment_id,
        customer_id,
        variant,
        exposed_at,
        row_number() over (
            partition by experiment_id, customer_id order by exposed_at, exposure_id
        ) as exposure_number
    from exposures
    where customer_id is not null
),

now as (
    select as_of_date as observed_until
    from as_of_dates
    where is_current
),

-- Experiments on customers, by their end the whole time for an answer is over.
customers_exposed as (
    select
        first_exposures.experiment_id,
        first_exposures.customer_id,
        first_exposures.variant <> 'control' as is_treated,
        first_exposures.exposed_at,
        {{ local_date('first_exposures.exposed_at') }} as exposed_date,
        {{ date_add_days(
            local_date('first_exposures.exposed_at'), var('martlet_retention_response_days')
        ) }} as answer_until
    from first_exposures
    cross join now
    where
        first_exposures.exposure_number = 1
        and {{ date_add_days(
            local_date('first_exposures.exposed_at'), var('martlet_retention_response_days')
        ) }} <= now.observed_until
),

experiments as (
    select
        experiment_id,
        row_number() over (order by max(exposed_at) desc, experiment_id) as newness
    from customers_exposed
    group by experiment_id
    having
        sum(case when is_treated then 1 else 0 end) > 0
        and sum(case when is_treated then 0 else 1 end) > 0
),

-- What was known of the customer is what the last as-of date before the exposure says.
dated as (
    select
        customers_exposed.experiment_id,
        customers_exposed.customer_id,
        customers_exposed.is_treated,
        customers_exposed.exposed_at,
        customers_exposed.exposed_date,
        customers_exposed.answer_until,
        max(as_of_dates.as_of_date) as as_of_date
    from customers_exposed
    inner join experiments
        on customers_exposed.experiment_id = experiments.experiment_id and experiments.newness = 1
    inner join as_of_dates on as_of_dates.as_of_date <= customers_exposed.exposed_date
    group by
        customers_exposed.experiment_id,
        customers_exposed.customer_id,
        customers_exposed.is_treated,
        customers_exposed.exposed_at,
        customers_exposed.exposed_date,
        customers_exposed.answer_until
),

answers as (
    select distinct dated.customer_id
    from dated
    inner join orders
        on dated.customer_id = orders.customer_id
        and orders.ordered_at > dated.exposed_at
        and orders.order_date < dated.answer_until
    where orders.is_revenue_order
),

labelled as (
    select
        {{ retention_features('features') }},
        dated.experiment_id,
        dated.exposed_date,
        dated.is_treated,
        answers.customer_id is not null as has_ordered
    from dated
    inner join features
        on dated.customer_id = features.customer_id
        and dated.as_of_date = features.as_of_date
    left join answers on dated.customer_id = answers.customer_id
)

select * from labelled
