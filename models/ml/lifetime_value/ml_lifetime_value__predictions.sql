{% set horizons = [30, 90, 180, 365] %}
with

versions as (
    select * from {{ ref('ml_lifetime_value__fit') }}
),

spend_versions as (
    select * from {{ ref('ml_lifetime_value__spend_fit') }}
),

-- Where a row's parameters come from.
fits as (
    select * from {{ ml_part(ref('ml_lifetime_value__fit'), 'fits') }}
    where is_chosen and cohort is null
),

orders_foretold as (
    select *
    from {{ ml_predict(ref('ml_lifetime_value__fit'), ref('ml_lifetime_value__training_set')) }}
),

spend_foretold as (
    select
        customer_id,
        as_of_date,
        predicted_order_value,
        predicted_order_value_variance,
        order_value_variance
    from {{ ml_predict(
        ref('ml_lifetime_value__spend_fit'), ref('ml_lifetime_value__training_set')
    ) }}
),

margin_rates as (
    select * from {{ ref('int_margin_rates__by_customer') }}
),

joined as (
    select
        orders_foretold.*,
        spend_foretold.predicted_order_value,
        spend_foretold.predicted_order_value * margin_rates.margin_rate as order_margin,
        -- Orders of one customer differ, and what their mean is has to be guessed from few.
        {% for days in horizons %}
            orders_foretold.predicted_purchases_{{ days }}_variance
            * power(spend_foretold.predicted_order_value, 2)
            + orders_foretold.predicted_purchases_{{ days }}
            * coalesce(spend_foretold.order_value_variance, 0)
            + (
                orders_foretold.predicted_purchases_{{ days }}_variance
                + power(orders_foretold.predicted_purchases_{{ days }}, 2)
            ) * coalesce(spend_foretold.predicted_order_value_variance, 0)
                as spend_{{ days }}_variance,
        {% endfor %}
        fits.r + orders_foretold.repeat_purchase_count as purchase_rate_shape,
        fits.alpha + orders_foretold.age_days as purchase_rate_scale_days,
        versions.model_version,
        spend_versions.model_version as spend_model_version
    from orders_foretold
    left join spend_foretold
        on orders_foretold.customer_id = spend_foretold.customer_id
        and orders_foretold.as_of_date = spend_foretold.as_of_date
    left join margin_rates
        on orders_foretold.customer_id = margin_rates.customer_id
        and orders_foretold.as_of_date = margin_rates.as_of_date
    left join fits on orders_foretold.fit_as_of_date = fits.as_of_date
    inner join versions on versions.is_champion and versions.status <> 'insufficient_data'
    inner join spend_versions on spend_versions.is_champion
),

predictions as (
    select
        customer_id,
        as_of_date,
        is_current,
        fit_family as model_family,
        fit_as_of_date as fitted_as_of_date,
        predicted_alive_probability as alive_probability,
        purchase_rate_shape,
        purchase_rate_scale_days,
        {% for days in horizons %}
            {% set orders = 'predicted_purchases_' ~ days %}
            {{ orders }} as expected_order_count_{{ days }}_days,
            cast({{ orders }}_lower as bigint) as order_count_{{ days }}_days_lower,
            cast({{ orders }}_upper as bigint) as order_count_{{ days }}_days_upper,
            {{ orders }}_interval_probability
                as order_count_{{ days }}_days_interval_probability,
            predicted_no_purchase_probability_{{ days }} as no_order_{{ days }}_days_probability,
            cast({{ orders }} * predicted_order_value as decimal(18, 4))
                as expected_spend_{{ days }}_days_amount,
            {% for end in ['lower', 'upper'] %}
                cast({{ spend_interval_end(
                    end,
                    orders ~ ' * predicted_order_value',
                    'spend_' ~ days ~ '_variance',
                    'predicted_no_purchase_probability_' ~ days
                ) }} as decimal(18, 4)) as spend_{{ days }}_days_{{ end }}_amount,
            {% endfor %}
            cast({{ orders }} * order_margin as decimal(18, 4))
                as expected_margin_{{ days }}_days_amount,
        {% endfor %}
        cast(predicted_order_value as decimal(18, 4)) as expected_order_amount,
        model_version,
        spend_model_version,
        {{ build_timestamp() }} as predicted_at
    from joined
    -- The data of the first dates may be too thin for a fit.
    where predicted_alive_probability is not null
)

select * from predictions
