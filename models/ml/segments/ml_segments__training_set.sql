with

features as (
    select * from {{ ref('ftr_customers__segmentation') }}
),

-- One row a customer: today's. The segments found in it are then the yardstick for every date, so
-- that a move between two months is the customer's and not the yardstick's.
training_set as (
    select
        customer_id,
        as_of_date,
        recency_days,
        frequency,
        monetary_amount,
        items_per_order,
        return_rate
    from features
    where is_current
)

select * from training_set
