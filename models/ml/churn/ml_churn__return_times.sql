{% set knots = [30, 90, 180, 365] %}
with

churn as (
    select * from {{ ref('ml_churn__predictions') }}
    where is_current
),

purchases as (
    select * from {{ ref('ml_lifetime_value__predictions') }}
),

-- What the purchase process says of a customer who has not left: rates are gamma distributed with
-- this shape and scale, and the orders of such a customer have this cumulative hazard.
known as (
    select
        churn.customer_id,
        churn.as_of_date,
        churn.horizon_days,
        purchases.purchase_rate_shape as shape,
        purchases.purchase_rate_scale_days as scale,
        {% for days in knots %}
            -ln(greatest(
                1 - (1 - purchases.no_order_{{ days }}_days_probability)
                / nullif(purchases.alive_probability, 0), 1e-300
            )) as hazard_{{ days }},
        {% endfor %}
        least(greatest(churn.churn_probability, 1e-9), 1 - 1e-9) as churn_probability
    from churn
    left join purchases
        on churn.customer_id = purchases.customer_id
        and churn.as_of_date = purchases.as_of_date
),

-- Without a purchase process orders come at a steady rate: the same with a very large shape.
filled as (
    select
        customer_id,
        as_of_date,
        horizon_days,
        churn_probability,
        {% for days in knots %}
            hazard_{{ days }} as known_hazard_{{ days }},
        {% endfor %}
        hazard_30 > 0 and shape is not null as has_process,
        case when hazard_30 > 0 and shape is not null then shape else 1.0e6 end as shape,
        case
            when hazard_30 > 0 and shape is not null then scale
            else 1.0e6 * horizon_days / -ln(churn_probability)
        end as scale
    from known
),

hazards as (
    select
        customer_id,
        as_of_date,
        horizon_days,
        churn_probability,
        {% for days in knots %}
            shape * ln(1 + {{ days }} / scale) as plain_{{ days }},
            case
                when has_process then known_hazard_{{ days }}
                else shape * ln(1 + {{ days }} / scale)
            end as hazard_{{ days }},
        {% endfor %}
        shape,
        scale
    from filled
),

-- Between these days the hazard runs as that of the gamma-distributed rates, in proportion: exact
-- where a customer leaves at a purchase only, near it for the Pareto/NBD.
stretches as (
    {% for days in knots %}
        {% set before = 0 if loop.first else knots[loop.index0 - 1] %}
        select
            customer_id,
            as_of_date,
            horizon_days,
            churn_probability,
            shape,
            scale,
            {{ before }} as from_day,
            {{ days }} as until_day,
            {{ '0.0e0' if loop.first else 'plain_' ~ before }} as plain_from,
            {{ '0.0e0' if loop.first else 'hazard_' ~ before }} as hazard_from,
            hazard_{{ days }} as hazard_until,
            greatest(
                (hazard_{{ days }} - {{ '0.0e0' if loop.first else 'hazard_' ~ before }})
                / (plain_{{ days }} - {{ '0.0e0' if loop.first else 'plain_' ~ before }}), 1e-9
            ) as slope
        from hazards
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

at_horizon as (
    select
        customer_id,
        max(hazard_from + slope * (shape * ln(1 + horizon_days / scale) - plain_from))
            as hazard_at_horizon
    from stretches
    where horizon_days > from_day and (horizon_days <= until_day or until_day = 365)
    group by customer_id
),

-- Whoever is still there is so with a share that makes the churn probability come true at the
-- horizon; where not even all are enough, everybody is and orders sooner.
levelled as (
    select
        stretches.*,
        least(
            (1 - churn_probability) / (1 - exp(-at_horizon.hazard_at_horizon)), 1
        ) as present_share,
        case
            when 1 - churn_probability > 1 - exp(-at_horizon.hazard_at_horizon)
                then -ln(churn_probability) / at_horizon.hazard_at_horizon
            else 1.0e0
        end as speed
    from stretches
    inner join at_horizon on stretches.customer_id = at_horizon.customer_id
),

-- In a stretch the share without an order falls as (scale + t) to a power.
powers as (
    select
        *,
        shape * slope * speed as exponent,
        exp(-speed * hazard_from) as waiting_from,
        exp(-speed * hazard_until) as waiting_until,
        (scale + until_day) / (scale + from_day) as growth,
        case
            when present_share > 0.5 then -ln(1 - 0.5 / present_share) / speed
        end as hazard_at_median
    from levelled
),

waited as (
    select
        *,
        waiting_from * (scale + from_day) * case
            when abs(1 - exponent) < 1e-9 then ln(growth)
            else (exp((1 - exponent) * ln(growth)) - 1) / (1 - exponent)
        end as days_waited,
        case
            when hazard_at_median > hazard_from and hazard_at_median <= hazard_until
                then
                    (scale + from_day)
                    * exp((hazard_at_median - hazard_from) / (slope * shape)) - scale
        end as median_day
    from powers
),

return_times as (
    select
        customer_id,
        as_of_date,
        round(max(present_share) * (1 - min(waiting_until)), 6) as order_365_days_probability,
        round(max(median_day), 2) as median_days_to_next_order,
        round(
            (sum(days_waited) - 365 * min(waiting_until)) / nullif(1 - min(waiting_until), 0), 2
        ) as expected_days_to_next_order
    from waited
    group by customer_id, as_of_date
)

select * from return_times
