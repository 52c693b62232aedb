with

cadence as (
    select * from {{ ref('ftr_customers__cadence') }}
),

lifetime_value as (
    select * from {{ ref('ftr_customers__lifetime_value') }}
),

histories as (
    select
        cadence.customer_id,
        cadence.as_of_date,
        cadence.is_current,
        -- A day is one purchase however many orders it has; the first makes a customer.
        cadence.purchase_day_count - 1 as repeat_purchase_count,
        cadence.tenure_days - cadence.days_since_last_order as last_purchase_age_days,
        -- The last day that was seen is the one before the as-of date.
        cadence.tenure_days - 1 as age_days,
        cadence.purchase_day_count,
        cast(lifetime_value.gross_revenue_amount as double)
        / nullif(cadence.purchase_day_count, 0) as mean_purchase_amount
    from cadence
    inner join lifetime_value
        on cadence.customer_id = lifetime_value.customer_id
        and cadence.as_of_date = lifetime_value.as_of_date
)

select * from histories
