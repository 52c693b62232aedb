with

forecasts as (
    select * from {{ ref('ml_lifetime_value__forecasts') }}
),

-- Ranks among the customers of a cut-off; ties share their mean rank.
ranked as (
    select
        *,
        rank() over (
            partition by as_of_date, horizon_days, forecast_method order by expected_spend_amount
        ) + (count(*) over (
            partition by as_of_date, horizon_days, forecast_method, expected_spend_amount
        ) - 1) / 2.0 as expected_rank,
        rank() over (
            partition by as_of_date, horizon_days, forecast_method order by spend_amount
        ) + (count(*) over (
            partition by as_of_date, horizon_days, forecast_method, spend_amount
        ) - 1) / 2.0 as actual_rank,
        row_number() over (
            partition by as_of_date, horizon_days, forecast_method
            order by expected_spend_amount desc, customer_id
        ) as place,
        count(*) over (
            partition by as_of_date, horizon_days, forecast_method
        ) as customers_asked
    from forecasts
),

measured as (
    select
        as_of_date,
        horizon_days,
        forecast_method,
        count(*) as customer_count,
        sum(order_count) as order_count,
        sum(expected_order_count) as expected_order_count,
        avg(abs(expected_order_count - order_count)) as order_mean_absolute_error,
        sqrt(avg(power(expected_order_count - order_count, 2))) as order_root_mean_squared_error,
        sum(spend_amount) as spend_total,
        sum(expected_spend_amount) as expected_spend_total,
        avg(abs(expected_spend_amount - spend_amount)) as spend_mean_absolute_error,
        sqrt(avg(power(expected_spend_amount - spend_amount, 2))) as spend_root_mean_squared_error,
        sum(abs(expected_spend_amount - spend_amount))
        / nullif(sum(spend_amount), 0) as spend_weighted_percentage_error,
        -- Where all are alike there is no order to agree with.
        case
            when
                min(expected_rank) < max(expected_rank) and min(actual_rank) < max(actual_rank)
                then corr(expected_rank, actual_rank)
        end as spend_rank_correlation,
        -- Gini of the order the forecast puts customers in, over that of the best order.
        (2 * sum(expected_rank * spend_amount) - (count(*) + 1) * sum(spend_amount))
        / nullif(2 * sum(actual_rank * spend_amount) - (count(*) + 1) * sum(spend_amount), 0)
            as normalized_gini,
        sum(case when place <= ceil(0.1 * customers_asked) then spend_amount else 0 end)
        / nullif(sum(spend_amount), 0) as top_decile_spend_share,
        avg(cast(is_within_interval as integer)) as interval_coverage,
        avg(interval_probability) as expected_interval_coverage,
        avg(cast(is_within_spend_interval as integer)) as spend_interval_coverage
    from ranked
    group by as_of_date, horizon_days, forecast_method
),

metrics as (
    select
        as_of_date,
        horizon_days,
        forecast_method,
        customer_count,
        cast(order_count as bigint) as order_count,
        expected_order_count,
        expected_order_count / nullif(order_count, 0) - 1 as order_bias,
        order_mean_absolute_error,
        order_root_mean_squared_error,
        cast(spend_total as decimal(18, 4)) as spend_amount,
        cast(expected_spend_total as decimal(18, 4)) as expected_spend_amount,
        expected_spend_total / nullif(spend_total, 0) - 1 as spend_bias,
        spend_mean_absolute_error,
        spend_root_mean_squared_error,
        spend_weighted_percentage_error,
        spend_rank_correlation,
        normalized_gini,
        top_decile_spend_share,
        top_decile_spend_share / nullif(
            ceil(0.1 * customer_count) / cast(customer_count as double), 0
        ) as top_decile_lift,
        interval_coverage,
        expected_interval_coverage,
        spend_interval_coverage
    from measured
)

select * from metrics
