with

windows as (
    select * from {{ ref('int_products__trend_windows') }}
),

digits as (
    select number from {{ number_series(0, 15) }}
),

numbers as (
    select ones.number + 16 * sixteens.number + 256 * more.number as number
    from digits as ones
    cross join digits as sixteens
    cross join digits as more
),

shop_totals as (
    select
        as_of_date,
        cast(sum(base_order_count) as double) / nullif(sum(base_days), 0) as base_rate
    from windows
    group by as_of_date
),

-- A category of few sales leans on the shop: 200 product days of the usual count like its own.
category_totals as (
    select
        windows.as_of_date,
        windows.category,
        (sum(windows.base_order_count) + 200 * min(shop_totals.base_rate))
        / (sum(windows.base_days) + 200) as base_rate
    from windows
    inner join shop_totals on windows.as_of_date = shop_totals.as_of_date
    group by windows.as_of_date, windows.category
),

compared as (
    select
        windows.*,
        category_totals.base_rate,
        category_totals.base_rate * windows.base_days as usual_base_count
    from windows
    inner join category_totals
        on windows.as_of_date = category_totals.as_of_date
        and windows.category = category_totals.category
    where category_totals.base_rate > 0
),

-- How far products of a category lie apart, beyond chance: the gamma prior by its moments.
spreads as (
    select
        as_of_date,
        1e0 / greatest(
            0.05e0,
            {{ exact_sum('power(base_order_count - usual_base_count, 2) - usual_base_count') }}
            / nullif({{ exact_sum('power(usual_base_count, 2)') }}, 0)
        ) as prior_shape
    from compared
    group by as_of_date
),

-- What each product sold a day, leaning on its category the less is known of it.
rated as (
    select
        compared.*,
        coalesce(spreads.prior_shape, 1e0) + compared.base_order_count as rate_shape,
        (coalesce(spreads.prior_shape, 1e0) + compared.base_order_count)
        / (coalesce(spreads.prior_shape, 1e0) / compared.base_rate + compared.base_days)
            as usual_rate
    from compared
    inner join spreads on compared.as_of_date = spreads.as_of_date
),

shop_growth as (
    select
        as_of_date,
        sum(recent_order_count) / nullif({{ exact_sum('usual_rate * recent_days') }}, 0)
            as growth
    from rated
    group by as_of_date
),

-- The season of a whole category is no trend of a product.
category_growth as (
    select
        rated.as_of_date,
        rated.category,
        (sum(rated.recent_order_count) + 20 * min(shop_growth.growth))
        / ({{ exact_sum('rated.usual_rate * rated.recent_days') }} + 20) as growth
    from rated
    inner join shop_growth on rated.as_of_date = shop_growth.as_of_date
    group by rated.as_of_date, rated.category
),

expected as (
    select
        rated.*,
        category_growth.growth as category_growth,
        rated.usual_rate * category_growth.growth * rated.recent_days as expected_order_count,
        rated.usual_rate * category_growth.growth * rated.next_days as expected_next_order_count
    from rated
    inner join category_growth
        on rated.as_of_date = category_growth.as_of_date
        and rated.category = category_growth.category
),

surprises as (
    select
        as_of_date,
        {{ exact_sum(
            '(power(recent_order_count - expected_order_count, 2) - expected_order_count'
            ~ ' - power(expected_order_count, 2) / rate_shape) / expected_order_count'
        ) }} as surplus,
        {{ exact_sum('expected_order_count') }} as expected_order_count
    from expected
    where expected_order_count > 0
    group by as_of_date
),

-- Sales come and go more than chance alone would have it; how much, earlier dates tell.
restlessness as (
    select
        as_of_date,
        greatest(0e0, coalesce(
            sum(surplus) over earlier / nullif(sum(expected_order_count) over earlier, 0), 0e0
        )) as restlessness
    from surprises
    window earlier as (
        order by as_of_date rows between unbounded preceding and 1 preceding
    )
),

shaped as (
    select
        expected.*,
        1e0 / (1e0 / expected.rate_shape + coalesce(restlessness.restlessness, 0e0)) as shape,
        -- Counts beyond the numbers are scaled down to them: the test gets more careful.
        expected.expected_order_count
        * least(1e0, 4095e0 / nullif(expected.recent_order_count, 0)) as tested_mean
    from expected
    left join restlessness on expected.as_of_date = restlessness.as_of_date
),

-- Gamma-Poisson: the chance of each count is the one before it times a factor.
factors as (
    select
        shaped.as_of_date,
        shaped.product_id,
        numbers.number,
        case
            when numbers.number = 0
                then
                    shaped.shape * ln(shaped.shape / (shaped.shape + shaped.tested_mean))
            else
                ln(
                    (numbers.number - 1 + shaped.shape) / numbers.number
                    * shaped.tested_mean / (shaped.shape + shaped.tested_mean)
                )
        end as log_factor
    from shaped
    inner join numbers on numbers.number < least(shaped.recent_order_count, 4095)
    where
        shaped.recent_order_count > shaped.expected_order_count
        and shaped.expected_order_count > 0
),

chances as (
    select
        as_of_date,
        product_id,
        sum(log_factor) over (
            partition by as_of_date, product_id order by number
            rows between unbounded preceding and current row
        ) as log_chance
    from factors
),

tails as (
    select
        as_of_date,
        product_id,
        greatest(0e0, 1e0 - {{ exact_sum('exp(log_chance)', digits=18) }}) as p_value
    from chances
    group by as_of_date, product_id
),

tested as (
    select
        shaped.*,
        coalesce(tails.p_value, 1e0) as p_value,
        (shaped.shape + shaped.recent_order_count)
        / (shaped.shape + shaped.expected_order_count) as shrunken_lift
    from shaped
    left join tails
        on shaped.as_of_date = tails.as_of_date and shaped.product_id = tails.product_id
    where shaped.expected_order_count > 0
),

-- Benjamini and Hochberg (1995): the share of chance finds among the products up to this one.
ranked as (
    select
        *,
        p_value * count(*) over (partition by as_of_date) / row_number() over (
            partition by as_of_date order by p_value, product_id
        ) as stepped_p_value
    from tested
),

controlled as (
    select
        *,
        least(1e0, min(stepped_p_value) over (
            partition by as_of_date order by p_value desc, product_id desc
            rows between unbounded preceding and current row
        )) as q_value
    from ranked
),

typed as (
    select
        as_of_date,
        product_id,
        is_current,
        category,
        is_on_sale,
        launched_date,
        recent_order_count,
        recent_days,
        recent_out_of_stock_days,
        base_order_count,
        base_days,
        next_order_count,
        next_days,
        category_growth,
        cast(expected_order_count as double) as expected_order_count,
        cast(expected_next_order_count as double) as expected_next_order_count,
        -- What one would look at without a model: days sold now over days sold before.
        cast(recent_order_count as double) / nullif(recent_days, 0)
        / nullif(cast(base_order_count as double) / nullif(base_days, 0), 0) as naive_growth,
        cast(shrunken_lift as double) as shrunken_lift,
        cast(p_value as double) as p_value,
        cast(q_value as double) as q_value,
        base_days < 28 as is_new_product
    from controlled
)

select * from typed
