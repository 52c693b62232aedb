{% set horizons = [30, 90, 180, 365] %}
with

lifetime_value as (
    select * from {{ ref('ftr_customers__lifetime_value') }}
),

cadence as (
    select * from {{ ref('ftr_customers__cadence') }}
),

predictions as (
    select * from {{ ref('ml_lifetime_value__predictions') }}
),

two_part as (
    select * from {{ ref('ml_lifetime_value__two_part_predictions') }}
),

best_methods as (
    select * from {{ ref('ml_lifetime_value__best_methods') }}
),

-- One row a customer and date, and the method that won at each horizon.
learned as (
    select
        {% for days in horizons %}
            max(case
                when two_part.horizon_days = {{ days }} then two_part.expected_spend_amount
            end) as spend_{{ days }}_days_amount,
            max(case
                when
                    two_part.horizon_days = {{ days }}
                    and best_methods.forecast_method
                    in ('two_part', 'mean_of_process_and_two_part')
                    then best_methods.forecast_method
            end) as method_{{ days }}_days,
        {% endfor %}
        two_part.customer_id,
        two_part.as_of_date
    from two_part
    left join best_methods on two_part.horizon_days = best_methods.horizon_days
    group by two_part.customer_id, two_part.as_of_date
),

-- Money of a stretch of days comes, on average, in its middle.
discounts as (
    select
        {{ var('martlet_discount_rate') }} as discount_rate,
        power(1e0 + {{ var('martlet_discount_rate') }}, -15 / 365e0) as until_day_30,
        power(1e0 + {{ var('martlet_discount_rate') }}, -60 / 365e0) as until_day_90,
        power(1e0 + {{ var('martlet_discount_rate') }}, -135 / 365e0) as until_day_180,
        power(1e0 + {{ var('martlet_discount_rate') }}, -272.5e0 / 365e0) as until_day_365
),

discounted as (
    select
        predictions.*,
        discounts.discount_rate,
        predictions.expected_order_count_30_days * discounts.until_day_30
        + (predictions.expected_order_count_90_days - predictions.expected_order_count_30_days)
        * discounts.until_day_90
        + (predictions.expected_order_count_180_days - predictions.expected_order_count_90_days)
        * discounts.until_day_180
        + (predictions.expected_order_count_365_days - predictions.expected_order_count_180_days)
        * discounts.until_day_365 as discounted_order_count,
        cast(predictions.expected_margin_365_days_amount as double) / nullif(
            cast(predictions.expected_spend_365_days_amount as double), 0
        ) as margin_share
    from predictions
    cross join discounts
),

foretold as (
    select
        discounted.*,
        discounted.discounted_order_count * discounted.expected_order_amount
            as discounted_spend_amount,
        discounted.discounted_order_count * discounted.expected_order_amount
        * discounted.margin_share as discounted_margin_amount,
        {% for days in horizons %}
            cast(learned.spend_{{ days }}_days_amount as decimal(18, 4))
                as two_part_spend_{{ days }}_days_amount,
            coalesce(learned.method_{{ days }}_days, 'purchase_process')
                as forecast_method_{{ days }}_days,
        {% endfor %}
        {{ quantile_score(
            'discounted.expected_spend_365_days_amount',
            partition_by='discounted.as_of_date',
            tie_breaker='discounted.customer_id',
            groups=10
        ) }} as expected_value_decile
    from discounted
    left join learned
        on discounted.customer_id = learned.customer_id
        and discounted.as_of_date = learned.as_of_date
),

ranked as (
    select
        customer_id,
        as_of_date,
        is_current,
        order_count,
        item_count,
        return_count,
        returned_quantity,
        gross_revenue_amount,
        returned_amount,
        net_revenue_amount,
        cost_amount,
        margin_amount,
        average_order_amount,
        items_per_order,
        return_rate,
        margin_rate,
        first_order_date,
        last_order_date,
        cast({{ days_between('first_order_date', 'as_of_date') }} as integer) as tenure_days,
        cast(
            row_number() over (
                partition by as_of_date order by gross_revenue_amount desc, customer_id
            ) as bigint
        ) as revenue_rank,
        cast(
            sum(gross_revenue_amount) over (
                partition by as_of_date order by gross_revenue_amount desc, customer_id
                rows between unbounded preceding and current row
            ) as double
        ) / nullif(
            cast(sum(gross_revenue_amount) over (partition by as_of_date) as double), 0
        ) as cumulative_revenue_share,
        {{ quantile_score(
            'net_revenue_amount', partition_by='as_of_date', tie_breaker='customer_id', groups=10
        ) }} as value_decile
    from lifetime_value
),

with_forecast as (
    select
        ranked.*,
        cadence.days_since_last_order,
        cadence.order_count_90_days,
        cadence.order_count_365_days,
        cadence.mean_gap_days,
        cadence.median_gap_days,
        foretold.alive_probability,
        foretold.expected_order_count_30_days,
        foretold.expected_order_count_90_days,
        foretold.expected_order_count_180_days,
        foretold.expected_order_count_365_days,
        foretold.order_count_30_days_lower,
        foretold.order_count_30_days_upper,
        foretold.order_count_90_days_lower,
        foretold.order_count_90_days_upper,
        foretold.order_count_180_days_lower,
        foretold.order_count_180_days_upper,
        foretold.order_count_365_days_lower,
        foretold.order_count_365_days_upper,
        foretold.no_order_90_days_probability,
        foretold.expected_order_amount,
        foretold.expected_spend_30_days_amount,
        foretold.expected_spend_90_days_amount,
        foretold.expected_spend_180_days_amount,
        foretold.expected_spend_365_days_amount,
        foretold.spend_90_days_lower_amount,
        foretold.spend_90_days_upper_amount,
        foretold.spend_365_days_lower_amount,
        foretold.spend_365_days_upper_amount,
        foretold.expected_margin_30_days_amount,
        foretold.expected_margin_90_days_amount,
        foretold.expected_margin_180_days_amount,
        foretold.expected_margin_365_days_amount,
        cast(foretold.discount_rate as double) as discount_rate,
        cast(foretold.discounted_spend_amount as decimal(18, 4))
            as discounted_spend_365_days_amount,
        cast(foretold.discounted_margin_amount as decimal(18, 4))
            as discounted_margin_365_days_amount,
        cast(foretold.expected_value_decile as integer) as expected_value_decile,
        {% for days in horizons %}
            foretold.two_part_spend_{{ days }}_days_amount,
            foretold.forecast_method_{{ days }}_days,
            cast(case foretold.forecast_method_{{ days }}_days
                when 'two_part' then foretold.two_part_spend_{{ days }}_days_amount
                when
                    'mean_of_process_and_two_part'
                    then (
                        foretold.expected_spend_{{ days }}_days_amount
                        + foretold.two_part_spend_{{ days }}_days_amount
                    ) / 2
                else foretold.expected_spend_{{ days }}_days_amount
            end as decimal(18, 4)) as best_spend_{{ days }}_days_amount,
        {% endfor %}
        foretold.model_family,
        foretold.model_version,
        foretold.predicted_at
    from ranked
    left join cadence
        on ranked.customer_id = cadence.customer_id
        and ranked.as_of_date = cadence.as_of_date
    left join foretold
        on ranked.customer_id = foretold.customer_id
        and ranked.as_of_date = foretold.as_of_date
)

select * from with_forecast
