with

forecasts as (
    select
        *,
        power(expected_spend_amount - spend_amount, 2) as squared_error
    from {{ ref('ml_lifetime_value__forecasts') }}
),

measured_dates as (
    select
        horizon_days,
        as_of_date,
        forecast_method,
        count(*) as customer_count
    from forecasts
    group by horizon_days, as_of_date, forecast_method
),

method_counts as (
    select
        horizon_days,
        as_of_date,
        count(*) as methods_measured,
        max(customer_count) as customer_count
    from measured_dates
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
        method_counts.as_of_date,
        method_counts.customer_count,
        count(*) over (partition by method_counts.horizon_days) as date_count
    from method_counts
    inner join most_methods
        on method_counts.horizon_days = most_methods.horizon_days
        and method_counts.methods_measured = most_methods.most_measured
),

-- What a customer adds to the mean over dates of each date's mean squared error.
customer_errors as (
    select
        forecasts.horizon_days,
        forecasts.forecast_method,
        forecasts.customer_id,
        max(common_dates.date_count) as date_count,
        sum(
            forecasts.squared_error / (common_dates.customer_count * common_dates.date_count)
        ) as mean_error_part
    from forecasts
    inner join common_dates
        on forecasts.horizon_days = common_dates.horizon_days
        and forecasts.as_of_date = common_dates.as_of_date
    group by forecasts.horizon_days, forecasts.forecast_method, forecasts.customer_id
),

-- A customer's dates belong together, and few customers make most of the error: customers are the
-- units, and each is compared with itself under the purchase process.
compared as (
    select
        customer_errors.horizon_days,
        customer_errors.forecast_method,
        max(customer_errors.date_count) as date_count,
        sum(customer_errors.mean_error_part) as mean_squared_error,
        count(own.customer_id) as paired_count,
        sum(customer_errors.mean_error_part - own.mean_error_part) as difference,
        stddev_samp(customer_errors.mean_error_part - own.mean_error_part)
        * sqrt(count(own.customer_id)) as difference_standard_error
    from customer_errors
    left join customer_errors as own
        on customer_errors.horizon_days = own.horizon_days
        and customer_errors.customer_id = own.customer_id
        and own.forecast_method = 'purchase_process'
    group by customer_errors.horizon_days, customer_errors.forecast_method
),

ranked as (
    select
        *,
        row_number() over (
            partition by horizon_days
            order by
                case
                    when forecast_method = 'purchase_process' then 1
                    when paired_count = 0 or difference < -difference_standard_error then 0
                    else 2
                end,
                mean_squared_error, forecast_method
        ) as place
    from compared
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
