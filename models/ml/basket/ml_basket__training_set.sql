with

lines as (
    select * from {{ ref('int_baskets__lines') }}
),

-- Larger baskets are left out before the split by time: one of thousands would be most of its rows.
training_rows as (
    select
        basket_id,
        product_id,
        as_of_date,
        basket_at
    from lines
    where basket_size <= {{ var('martlet_basket_max_items') }}
)

select * from training_rows
