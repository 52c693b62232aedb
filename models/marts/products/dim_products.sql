with

products as (
    select * from {{ ref('int_products__listed') }}
),

sales as (
    select * from {{ ref('int_products__sales') }}
),

stock as (
    select * from {{ ref('int_products__stock') }}
),

described as (
    select
        products.product_id,
        products.product_name,
        products.category,
        products.subcategory,
        products.brand,
        products.is_in_catalogue,
        products.is_active,
        products.launched_at,
        products.list_price_amount,
        products.unit_cost_amount,
        cast(products.list_price_amount - products.unit_cost_amount as double)
        / nullif(cast(products.list_price_amount as double), 0) as margin_rate,
        coalesce(sales.order_count, 0) as order_count,
        coalesce(sales.sold_quantity, 0) as sold_quantity,
        coalesce(sales.returned_quantity, 0) as returned_quantity,
        cast(sales.returned_quantity as double) / nullif(sales.sold_quantity, 0) as return_rate,
        cast(coalesce(sales.gross_revenue_amount, 0) as decimal(18, 4)) as gross_revenue_amount,
        cast(coalesce(sales.returned_amount, 0) as decimal(18, 4)) as returned_amount,
        cast(
            coalesce(sales.gross_revenue_amount - sales.returned_amount, 0) as decimal(18, 4)
        ) as net_revenue_amount,
        sales.first_sold_date,
        sales.last_sold_date,
        stock.on_hand_quantity,
        stock.last_counted_at as stock_counted_at,
        stock.stock_known_days,
        stock.out_of_stock_days
    from products
    left join sales on products.product_id = sales.product_id
    left join stock on products.product_id = stock.product_id
)

select * from described
