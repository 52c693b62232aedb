with

horizons as (
    select * from {{ ref('int_churn_horizons__compared') }}
)

select * from horizons
