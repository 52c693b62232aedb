with

metrics as (
    select * from {{ ref('ml_lifetime_value__metrics') }}
),

best_methods as (
    select * from {{ ref('ml_lifetime_value__best_methods') }}
),

with_best as (
    select
        metrics.*,
        best_methods.forecast_method is not null as is_best
    from metrics
    left join best_methods
        on metrics.horizon_days = best_methods.horizon_days
        and metrics.forecast_method = best_methods.forecast_method
)

select * from with_best
