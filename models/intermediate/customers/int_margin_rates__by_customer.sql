with

lifetime_value as (
    select * from {{ ref('ftr_customers__lifetime_value') }}
),

shop_rates as (
    select
        as_of_date,
        cast(sum(margin_amount) as double)
        / nullif(cast(sum(gross_revenue_amount) as double), 0) as shop_margin_rate
    from lifetime_value
    where margin_amount is not null
    group by as_of_date
),

-- A customer who sent back more than came says nothing beyond -1.
known as (
    select
        lifetime_value.customer_id,
        lifetime_value.as_of_date,
        cast(lifetime_value.order_count as double) as order_count,
        1.0e0 / lifetime_value.order_count as inverse_count,
        shop_rates.shop_margin_rate,
        greatest(
            least(
                cast(lifetime_value.margin_amount as double)
                / cast(lifetime_value.gross_revenue_amount as double), 1
            ), -1
        ) as own_margin_rate
    from lifetime_value
    inner join shop_rates on lifetime_value.as_of_date = shop_rates.as_of_date
    where
        lifetime_value.margin_amount is not null
        and lifetime_value.gross_revenue_amount > 0
        and lifetime_value.order_count > 0
),

-- Squared distances from the shop's rate are what customers differ by, and what chance adds, which
-- falls with the number of orders: a line over 1 / orders.
moments as (
    select
        as_of_date,
        count(*) as customer_count,
        avg(power(own_margin_rate - shop_margin_rate, 2)) as mean_distance,
        avg(inverse_count) as mean_inverse,
        avg(inverse_count * power(own_margin_rate - shop_margin_rate, 2)) as mean_product,
        avg(inverse_count * inverse_count) as mean_square
    from known
    group by as_of_date
),

slopes as (
    select
        as_of_date,
        mean_distance,
        mean_inverse,
        (mean_product - mean_distance * mean_inverse)
        / nullif(mean_square - mean_inverse * mean_inverse, 0) as chance
    from moments
    where customer_count >= 100 and mean_square - mean_inverse * mean_inverse > 1e-9
),

-- As many orders as weigh as much as the shop. Where chance explains all there are none.
weights as (
    select
        as_of_date,
        case
            when chance < 0 then 0.0e0
            when mean_distance - chance * mean_inverse > 1e-6
                then chance / (mean_distance - chance * mean_inverse)
        end as shop_weight_orders
    from slopes
),

rates as (
    select
        lifetime_value.customer_id,
        lifetime_value.as_of_date,
        round(case
            when known.customer_id is not null and weights.shop_weight_orders is not null
                then
                    (
                        known.order_count * known.own_margin_rate
                        + weights.shop_weight_orders * known.shop_margin_rate
                    ) / (known.order_count + weights.shop_weight_orders)
            else shop_rates.shop_margin_rate
        end, 6) as margin_rate
    from lifetime_value
    left join shop_rates on lifetime_value.as_of_date = shop_rates.as_of_date
    left join known
        on lifetime_value.customer_id = known.customer_id
        and lifetime_value.as_of_date = known.as_of_date
    left join weights on lifetime_value.as_of_date = weights.as_of_date
)

select * from rates
