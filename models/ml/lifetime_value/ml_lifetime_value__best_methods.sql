with

metrics as (
    select * from {{ ref('ml_lifetime_value__metrics') }}
),

method_counts as (
    select
        horizon_days,
        as_of_date,
        count(*) as methods_measured
    from metrics
    group by horizon_days, as_of_date
),

most_methods as (
    select
        horizon_days,
        max(methods_measured) as most_measured
    from method_counts
    group by horizon_days
),

-- Only dates on which every method was measured compare like with like.
common_dates as (
    select
        method_counts.horizon_days,
        method_counts.as_of_date
    from method_counts
    inner join most_methods
        on method_counts.horizon_days = most_methods.horizon_days
        and method_counts.methods_measured = most_methods.most_measured
),

scored as (
    select
        metrics.horizon_days,
        metrics.forecast_method,
        count(*) as date_count,
        avg(power(metrics.spend_root_mean_squared_error, 2)) as mean_squared_error
    from metrics
    inner join common_dates
        on metrics.horizon_days = common_dates.horizon_days
        and metrics.as_of_date = common_dates.as_of_date
    group by metrics.horizon_days, metrics.forecast_method
),

ranked as (
    select
        horizon_days,
        forecast_method,
        date_count,
        mean_squared_error,
        row_number() over (
            partition by horizon_days order by mean_squared_error, forecast_method
        ) as place
    from scored
),

best_methods as (
    select
        horizon_days,
        forecast_method,
        date_count,
        mean_squared_error
    from ranked
    where place = 1
)

select * from best_methods
