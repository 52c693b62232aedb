with

purchases as (
    select * from {{ ref('int_customers__monthly_purchases') }}
),

training_set as (
    select
        customer_id,
        month_start,
        -- A month is known on the first day after it.
        {{ date_add_months('month_start', '1') }} as as_of_date,
        purchase_day_count
    from purchases
)

select * from training_set
