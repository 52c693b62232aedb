with

products as (
    select * from {{ ref('shop_products') }}
),

order_items as (
    select * from {{ ref('shop_order_items') }}
),

returns as (
    select * from {{ ref('shop_returns') }}
),

seen_in_facts as (
    select product_id
    from order_items
    union
    select product_id
    from returns
    where product_id is not null
),

-- A product that left the catalogue keeps its sales.
listed as (
    select
        coalesce(products.product_id, seen_in_facts.product_id) as product_id,
        products.product_id is not null as is_in_catalogue,
        products.product_name,
        products.category,
        products.subcategory,
        products.brand,
        products.list_price_amount,
        products.unit_cost_amount,
        products.launched_at,
        coalesce(products.is_active, false) as is_active
    from products
    full outer join seen_in_facts on products.product_id = seen_in_facts.product_id
)

select * from listed
