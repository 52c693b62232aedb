with

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
    where is_current
),

features as (
    select ftr_sessions__intent.*
    from {{ ref('ftr_sessions__intent') }} as ftr_sessions__intent
    cross join as_of_dates
    -- A clock must not run ahead of the data.
    where ftr_sessions__intent.as_of_date < as_of_dates.as_of_date
),

versions as (
    select model_version
    from {{ ref('ml_intent__fit') }}
    where is_champion
),

scored as (
    select * from {{ ml_predict(ref('ml_intent__fit'), 'features') }}
)

select
    scored.session_id,
    scored.moment_kind,
    scored.moment_number,
    scored.as_of_date,
    scored.buy_probability,
    scored.leave_probability,
    scored.expected_order_amount,
    scored.treated_buy_probability,
    scored.uplift,
    scored.value_now_amount,
    scored.value_wait_amount,
    scored.decision,
    versions.model_version,
    {{ build_timestamp() }} as predicted_at
from scored
cross join versions
