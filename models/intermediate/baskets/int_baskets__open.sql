with

carts as (
    select * from {{ ref('int_carts__measured') }}
),

cart_items as (
    select * from {{ ref('int_cart_items__netted') }}
),

lines as (
    select * from {{ ref('int_baskets__lines') }}
),

open_carts as (
    select *
    from carts
    where
        purchased_at is null
        and idle_seconds <= 86400 * {{ var('martlet_cart_expiry_days') }}
),

ranked_orders as (
    select
        *,
        dense_rank() over (partition by customer_id order by customer_order_number desc)
            as order_rank
    from lines
    where customer_id is not null
),

open_baskets as (
    select
        concat('cart:', open_carts.cart_id) as basket_id,
        cart_items.product_id,
        open_carts.as_of_date,
        'open_cart' as basket_kind,
        open_carts.visitor_id,
        open_carts.customer_id,
        open_carts.last_touched_at as basket_at
    from open_carts
    inner join cart_items on open_carts.cart_id = cart_items.cart_id
    where cart_items.quantity > 0
    union all
    select
        concat('order:', basket_id) as basket_id,
        product_id,
        as_of_date,
        'last_order' as basket_kind,
        cast(null as string) as visitor_id,
        customer_id,
        basket_at
    from ranked_orders
    where order_rank = 1
)

select * from open_baskets
