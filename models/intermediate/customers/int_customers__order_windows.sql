with

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

orders as (
    select * from {{ ref('int_orders__enriched') }}
),

order_items as (
    select * from {{ ref('int_order_items__enriched') }}
),

shop_orders as (
    select * from {{ ref('shop_orders') }}
),

returns as (
    select * from {{ ref('int_returns__enriched') }}
),

item_discounts as (
    select
        order_id,
        cast(sum(discount_amount + order_discount_amount) as double) as discount_amount,
        count(distinct product_id) as product_count
    from order_items
    group by order_id
),

order_facts as (
    select
        orders.customer_id,
        orders.order_date as fact_date,
        orders.cancelled_date,
        1 as order_count,
        cast(orders.goods_amount as double) as spend_amount,
        coalesce(item_discounts.discount_amount, cast(shop_orders.discount_amount as double))
            as discount_amount,
        case
            when
                coalesce(
                    item_discounts.discount_amount, cast(shop_orders.discount_amount as double)
                ) > 0 then 1
            else 0
        end as discounted_order_count,
        coalesce(item_discounts.product_count, 0) as product_count,
        cast(0 as double) as returned_amount,
        0 as return_count
    from orders
    inner join shop_orders on orders.order_id = shop_orders.order_id
    left join item_discounts on orders.order_id = item_discounts.order_id
    where orders.customer_id is not null and not orders.is_test
),

return_facts as (
    select
        customer_id,
        known_from_date as fact_date,
        order_cancelled_date as cancelled_date,
        0 as order_count,
        cast(0 as double) as spend_amount,
        cast(0 as double) as discount_amount,
        0 as discounted_order_count,
        0 as product_count,
        cast(refund_amount as double) as returned_amount,
        1 as return_count
    from returns
    where customer_id is not null and not is_test
),

facts as (
    select * from order_facts
    union all
    select * from return_facts
),

-- Half-open windows [as_of_date - n days, as_of_date); an order cancelled later was one until then.
recent_facts as (
    select
        facts.*,
        as_of_dates.as_of_date,
        {{ days_between('facts.fact_date', 'as_of_dates.as_of_date') }} as days_ago
    from facts
    inner join as_of_dates
        on facts.fact_date < as_of_dates.as_of_date
        and facts.fact_date >= {{ date_add_days('as_of_dates.as_of_date', -365) }}
        and (facts.cancelled_date is null or facts.cancelled_date >= as_of_dates.as_of_date)
),

-- Sums of numbers with a point depend in their last digits on the order of the rows. Rounded, they
-- are the same in every build, and no model is fitted again for nothing.
windows as (
    select
        customer_id,
        as_of_date,
        max(fact_date) as last_fact_date,
        cast(sum(case when days_ago <= 60 then order_count else 0 end) as integer)
            as order_count_60_days,
        round(sum(case when days_ago <= 30 then spend_amount else 0 end), 6)
            as spend_amount_30_days,
        round(sum(case when days_ago <= 90 then spend_amount else 0 end), 6)
            as spend_amount_90_days,
        round(sum(case when days_ago <= 180 then spend_amount else 0 end), 6)
            as spend_amount_180_days,
        round(sum(spend_amount), 6) as spend_amount_365_days,
        round(stddev_samp(case when order_count = 1 then spend_amount end), 6)
            as standard_deviation_order_amount_365_days,
        round(sum(discount_amount), 6) as discount_amount_365_days,
        cast(sum(discounted_order_count) as integer) as discounted_order_count_365_days,
        cast(sum(product_count) as integer) as product_count_365_days,
        round(sum(case when days_ago <= 90 then returned_amount else 0 end), 6)
            as returned_amount_90_days,
        cast(sum(return_count) as integer) as return_count_365_days
    from recent_facts
    group by customer_id, as_of_date
)

select * from windows
