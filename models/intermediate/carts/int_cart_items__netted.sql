with

cart_events as (
    select * from {{ ref('int_cart_events__assigned') }}
),

products as (
    select * from {{ ref('shop_products') }}
),

netted as (
    select
        cart_id,
        product_id,
        greatest(sum(quantity_change), 0) as quantity,
        {{ value_at_max(
            "case when event_name = 'add_to_cart' then cast(value_amount as double) "
            ~ "/ nullif(quantity_change, 0) end",
            "case when event_name = 'add_to_cart' and value_amount is not null "
            ~ "then event_at end"
        ) }} as added_unit_price,
        max(case when event_name = 'add_to_cart' then event_at end) as last_added_at
    from cart_events
    where product_id is not null and quantity_change is not null
    group by cart_id, product_id
),

priced as (
    select
        netted.cart_id,
        netted.product_id,
        cast(netted.quantity as bigint) as quantity,
        cast(round(
            coalesce(
                netted.added_unit_price, cast(products.list_price_amount as double)
            ) * netted.quantity, 4
        ) as decimal(18, 4)) as value_amount,
        netted.last_added_at
    from netted
    left join products on netted.product_id = products.product_id
)

select * from priced
