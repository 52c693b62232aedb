with

predictions as (
    select * from {{ ref('ml_customer_states__predictions') }}
),

with_previous_state as (
    select
        *,
        lag(state_id) over (partition by customer_id order by as_of_date) as previous_state_id
    from predictions
),

states as (
    select
        customer_id,
        as_of_date,
        is_current,
        month_start,
        purchase_day_count,
        state_id,
        state_name,
        state_probability,
        state_probabilities,
        next_state_probabilities,
        next_purchase_probability,
        next_expected_purchase_days,
        state_entropy,
        previous_state_id,
        state_id <> previous_state_id as has_moved,
        model_version,
        predicted_at
    from with_previous_state
)

select * from states
