with

purchased as (
    select * from {{ ref('int_customer_products__purchased') }}
),

-- As of the first date of all: nothing that a later label is about has been seen.
first_cutoff as (
    select min(as_of_date) as as_of_date
    from {{ ref('int_as_of_dates__split_for_propensity') }}
),

training_set as (
    select
        purchased.customer_id,
        purchased.product_id,
        purchased.purchase_day_count,
        purchased.as_of_date
    from purchased
    inner join first_cutoff on purchased.as_of_date = first_cutoff.as_of_date
)

select * from training_set
