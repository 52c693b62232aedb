with

lines as (
    select * from {{ ref('int_baskets__lines') }}
),

items as (
    select
        'product' as item_level,
        basket_id,
        product_id as item_id,
        as_of_date,
        basket_at,
        revenue_amount,
        margin_amount
    from lines
    union all
    select
        'category' as item_level,
        basket_id,
        category as item_id,
        min(as_of_date) as as_of_date,
        min(basket_at) as basket_at,
        cast(sum(revenue_amount) as decimal(18, 4)) as revenue_amount,
        cast(case
            when count(margin_amount) = count(*) then sum(margin_amount)
        end as decimal(18, 4)) as margin_amount
    from lines
    where category is not null
    group by basket_id, category
)

select * from items
