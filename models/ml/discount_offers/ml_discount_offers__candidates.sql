with

purchases as (
    select * from {{ ref('ml_recommendations__training_set') }}
),

lines as (
    select * from {{ ref('int_order_items__discounts') }}
),

products as (
    select * from {{ ref('int_products__listed') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

versions as (
    select * from {{ ref('ml_recommendations__fit') }}
),

champion as (
    select model_version
    from versions
    where is_champion
),

latest_prices as (
    select
        lines.*,
        as_of_dates.as_of_date,
        row_number() over (
            partition by lines.product_id
            order by lines.ordered_at desc, lines.order_item_id desc
        ) as newest_first
    from lines
    inner join as_of_dates
        on as_of_dates.is_current
        and lines.order_date >= {{ date_add_days('as_of_dates.as_of_date', -14) }}
),

-- On offer is what was last sold below its regular price, without a voucher, in the last two weeks.
on_offer as (
    select
        latest_prices.product_id,
        latest_prices.category,
        latest_prices.as_of_date,
        latest_prices.regular_price_amount,
        latest_prices.shown_price_amount as offer_price_amount,
        latest_prices.shown_discount_rate as discount_rate,
        cast(products.unit_cost_amount as double) as unit_cost_amount
    from latest_prices
    inner join products on latest_prices.product_id = products.product_id
    where
        latest_prices.newest_first = 1
        and latest_prices.shown_discount_rate >= 0.05e0
        and {{ can_be_sold('products') }}
),

product_weeks as (
    select
        product_id,
        category,
        order_week,
        count(distinct order_id) as order_count,
        case when avg(shown_discount_rate) >= 0.05e0 then 1 else 0 end as discounted_week
    from lines
    group by product_id, category, order_week
),

-- Weeks without a sale leave no price behind: Plackett's (1953) estimate of a Poisson mean does
-- without them, being the sum of the counts above one over the number of weeks with a sale.
week_sums as (
    select
        category,
        discounted_week,
        count(*) as week_count,
        sum(case when order_count > 1 then order_count else 0 end) as repeated_order_count
    from product_weeks
    group by category, discounted_week
),

shop_rates as (
    select
        discounted_week,
        cast(sum(repeated_order_count) as double) / sum(week_count) as order_rate
    from week_sums
    group by discounted_week
),

category_rates as (
    select
        week_sums.category,
        max(case when week_sums.discounted_week = 1 then
                (week_sums.repeated_order_count + 50 * shop_rates.order_rate)
                / (week_sums.week_count + 50)
        end) as discounted_rate,
        max(case when week_sums.discounted_week = 0 then
                (week_sums.repeated_order_count + 50 * shop_rates.order_rate)
                / (week_sums.week_count + 50)
        end) as full_price_rate,
        cast(
            sum(case when week_sums.discounted_week = 1 then week_sums.week_count else 0 end)
            as double
        ) / sum(week_sums.week_count
        ) as discounted_week_share
    from week_sums
    inner join shop_rates on week_sums.discounted_week = shop_rates.discounted_week
    group by week_sums.category
),

responses as (
    select
        category,
        least(5, greatest(1, coalesce(discounted_rate / nullif(full_price_rate, 0), 1)))
            as discount_response,
        discounted_week_share
    from category_rates
),

recommended as (
    select *
    from {{ ml_recommend(ref('ml_recommendations__fit'), 'purchases', n=50) }}
),

candidates as (
    select
        recommended.customer_id,
        recommended.product_id,
        on_offer.as_of_date,
        on_offer.regular_price_amount,
        on_offer.offer_price_amount,
        on_offer.discount_rate,
        on_offer.unit_cost_amount,
        cast(responses.discount_response as double) as discount_response,
        responses.discounted_week_share,
        recommended.probability as purchase_probability,
        recommended.is_repeat,
        champion.model_version,
        {{ build_timestamp() }} as predicted_at
    from recommended
    inner join on_offer on recommended.product_id = on_offer.product_id
    inner join responses on on_offer.category = responses.category
    cross join champion
    where recommended.probability is not null
)

select * from candidates
