with

rfm as (
    select * from {{ ref('ftr_customers__rfm') }}
),

with_previous_segment as (
    select
        customer_id,
        as_of_date,
        is_current,
        recency_days,
        frequency,
        monetary_amount,
        recency_score,
        frequency_score,
        monetary_score,
        rfm_score,
        recency_band,
        frequency_band,
        rfm_segment,
        lag(rfm_segment) over (
            partition by customer_id order by as_of_date
        ) as previous_rfm_segment
    from rfm
),

moves as (
    select
        *,
        -- A customer in the first snapshot of a life has not moved, but arrived.
        rfm_segment <> previous_rfm_segment as has_moved
    from with_previous_segment
)

select * from moves
