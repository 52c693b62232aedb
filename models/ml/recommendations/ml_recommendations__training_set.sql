with

lines as (
    select * from {{ ref('int_baskets__lines') }}
),

purchases as (
    select
        basket_id,
        product_id,
        as_of_date,
        customer_id,
        basket_at
    from lines
    where customer_id is not null
)

select * from purchases
