with

rfm as (
    select * from {{ ref('ftr_customers__rfm') }}
),

lifetime_value as (
    select * from {{ ref('ftr_customers__lifetime_value') }}
),

cadence as (
    select * from {{ ref('ftr_customers__cadence') }}
),

-- As doubles: a decimal would be cut off by logarithms and medians.
described as (
    select
        rfm.customer_id,
        rfm.as_of_date,
        rfm.is_current,
        cast(rfm.recency_days as double) as recency_days,
        cast(rfm.frequency as double) as frequency,
        cast(rfm.monetary_amount as double) as monetary_amount,
        lifetime_value.items_per_order,
        lifetime_value.return_rate,
        cast(lifetime_value.average_order_amount as double) as average_order_amount,
        cadence.mean_gap_days,
        cast(cadence.tenure_days as double) as tenure_days
    from rfm
    left join lifetime_value
        on rfm.customer_id = lifetime_value.customer_id
        and rfm.as_of_date = lifetime_value.as_of_date
    left join cadence
        on rfm.customer_id = cadence.customer_id
        and rfm.as_of_date = cadence.as_of_date
)

select * from described
