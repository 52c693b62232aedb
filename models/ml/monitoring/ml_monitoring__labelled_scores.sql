-- Probabilities of past as-of dates whose outcome is known by now.
with

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

orders as (
    select * from {{ ref('int_orders__enriched') }}
),

churn as (
    select * from {{ ref('ml_churn__predictions') }}
),

churn_training_dates as (
    select distinct as_of_date
    from {{ ref('ml_churn__training_set') }}
    where not is_test
),

lifetimes as (
    select * from {{ ref('ml_lifetime_value__predictions') }}
),

states as (
    select * from {{ ref('ml_customer_states__predictions') }}
),

monthly_purchases as (
    select * from {{ ref('int_customers__monthly_purchases') }}
),

risks as (
    select * from {{ ref('ml_order_risk__predictions') }}
),

mature_orders as (
    select * from {{ ref('ml_order_risk__training_set') }}
    where is_evaluation
),

return_visits as (
    select * from {{ ref('ml_return_visits__predictions') }}
),

first_visits as (
    select
        *,
        rank() over (order by as_of_date) as place,
        count(*) over () as visitor_count
    from {{ ref('ml_return_visits__training_set') }}
),

now as (
    select as_of_date as observed_until
    from as_of_dates
    where is_current
),

probabilities as (
    select
        'ml_churn__fit' as model_name,
        churn.model_version,
        churn.as_of_date,
        churn.customer_id,
        churn.churn_probability as probability,
        {{ date_add_days('churn.as_of_date', 'churn.horizon_days') }} as outcome_until,
        churn_training_dates.as_of_date is not null as is_learned_from
    from churn
    left join churn_training_dates on churn.as_of_date = churn_training_dates.as_of_date
    union all
    -- Each date has a fit of its own, on what was known then.
    select
        'ml_lifetime_value__fit' as model_name,
        model_version,
        as_of_date,
        customer_id,
        no_order_90_days_probability as probability,
        {{ date_add_days('as_of_date', 90) }} as outcome_until,
        false as is_learned_from
    from lifetimes
),

complete as (
    select probabilities.*
    from probabilities
    cross join now
    where probabilities.outcome_until <= now.observed_until
),

buyers as (
    select distinct
        complete.model_name,
        complete.as_of_date,
        complete.customer_id
    from complete
    inner join orders
        on complete.customer_id = orders.customer_id
        and orders.order_date >= complete.as_of_date
        and orders.order_date < complete.outcome_until
    where
        (complete.model_name = 'ml_churn__fit' and orders.is_revenue_order)
        or (
            complete.model_name = 'ml_lifetime_value__fit'
            and not orders.is_test
            and (
                orders.cancelled_date is null or orders.cancelled_date >= complete.outcome_until
            )
        )
),

absences as (
    select
        complete.model_name,
        complete.model_version,
        complete.as_of_date,
        complete.customer_id as entity_id,
        complete.probability,
        buyers.customer_id is null as is_positive,
        complete.outcome_until,
        complete.is_learned_from
    from complete
    left join buyers
        on complete.model_name = buyers.model_name
        and complete.as_of_date = buyers.as_of_date
        and complete.customer_id = buyers.customer_id
),

-- The month that began on the as-of date. The parameters are those of all months, these among them.
next_months as (
    select
        'ml_customer_states__fit' as model_name,
        states.model_version,
        states.as_of_date,
        states.customer_id as entity_id,
        states.next_purchase_probability as probability,
        monthly_purchases.purchase_day_count > 0 as is_positive,
        cast(
            {{ date_add_months("date_trunc('month', states.as_of_date)", '1') }} as date
        ) as outcome_until,
        true as is_learned_from
    from states
    inner join monthly_purchases
        on states.customer_id = monthly_purchases.customer_id
        and cast(date_trunc('month', states.as_of_date) as date) = monthly_purchases.month_start
    where states.as_of_date = cast(date_trunc('month', states.as_of_date) as date)
),

-- Orders of a quarter together, as fraud is rare; those that taught are left out.
order_risks as (
    select
        'ml_order_risk__fit' as model_name,
        risks.model_version,
        cast(date_trunc('quarter', risks.as_of_date) as date) as as_of_date,
        risks.order_id as entity_id,
        risks.fraud_probability as probability,
        mature_orders.is_fraud as is_positive,
        {{ date_add_days('risks.as_of_date', var('martlet_chargeback_days')) }} as outcome_until,
        false as is_learned_from
    from risks
    inner join mature_orders on risks.order_id = mature_orders.order_id
),

-- First visits of a month together. The model learned from the days that the earlier three
-- quarters of the visitors came on; they are left out.
later_first_visits as (
    select
        'ml_return_visits__fit' as model_name,
        return_visits.model_version,
        cast(date_trunc('month', return_visits.as_of_date) as date) as as_of_date,
        return_visits.visitor_id as entity_id,
        return_visits.return_purchase_probability as probability,
        first_visits.will_buy_on_return_visit as is_positive,
        {{ date_add_days('return_visits.as_of_date', 30) }} as outcome_until,
        false as is_learned_from
    from return_visits
    inner join first_visits on return_visits.visitor_id = first_visits.visitor_id
    where first_visits.place > round(0.75 * first_visits.visitor_count)
),

labelled as (
    select * from absences
    union all
    select * from next_months
    union all
    select * from order_risks
    union all
    select * from later_first_visits
)

select * from labelled
where probability is not null
