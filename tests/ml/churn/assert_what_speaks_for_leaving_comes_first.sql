-- No reason against leaving stands before one for it, and within each kind the heavier comes first.
with

reasons as (
    select
        customer_id,
        reason_rank,
        is_raising,
        abs(attribution) as weight,
        lag(is_raising) over (partition by customer_id order by reason_rank) as is_raising_before,
        lag(abs(attribution)) over (partition by customer_id order by reason_rank) as weight_before
    from {{ ref('ml_churn__reasons') }}
)

select *
from reasons
where
    (is_raising and not is_raising_before)
    or (is_raising = is_raising_before and weight > weight_before)
