with

lines as (
    select * from {{ ref('int_baskets__lines') }}
),

training_rows as (
    select
        basket_id,
        product_id,
        as_of_date,
        basket_at
    from lines
)

select * from training_rows
