with

trends as (
    select * from {{ ref('int_products__trends') }}
),

products as (
    select * from {{ ref('int_products__listed') }}
),

judged as (
    select
        trends.as_of_date,
        trends.product_id,
        products.product_name,
        products.category,
        trends.recent_order_count,
        trends.expected_order_count,
        trends.recent_days,
        trends.recent_out_of_stock_days,
        trends.base_order_count,
        trends.base_days,
        trends.launched_date,
        trends.category_growth,
        trends.shrunken_lift,
        trends.naive_growth,
        trends.p_value,
        trends.q_value,
        trends.is_new_product,
        trends.q_value <= 0.1 as is_trending,
        case
            when trends.recent_days = 0 then 'sold_out'
            when trends.q_value <= 0.1 and trends.is_new_product then 'rising_newcomer'
            when trends.q_value <= 0.1 then 'trending'
            when trends.is_new_product then 'new'
            else 'usual'
        end as trend_status
    from trends
    inner join products on trends.product_id = products.product_id
    where trends.is_current and trends.is_on_sale
),

ranked as (
    select
        as_of_date,
        product_id,
        product_name,
        category,
        cast(row_number() over (
            partition by category order by q_value, p_value, shrunken_lift desc, product_id
        ) as integer) as category_trend_rank,
        is_trending,
        trend_status,
        recent_order_count,
        expected_order_count,
        recent_days,
        recent_out_of_stock_days,
        base_order_count,
        base_days,
        launched_date,
        is_new_product,
        category_growth,
        shrunken_lift,
        naive_growth,
        p_value,
        q_value
    from judged
)

select * from ranked
