with

order_items as (
    select * from {{ ref('int_order_items__enriched') }}
),

orders as (
    select * from {{ ref('int_orders__enriched') }}
),

products as (
    select * from {{ ref('shop_products') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

lines as (
    select
        orders.order_id as basket_id,
        order_items.product_id,
        min(as_of_dates.as_of_date) as as_of_date,
        min(orders.customer_id) as customer_id,
        min(orders.customer_order_number) as customer_order_number,
        min(orders.ordered_at) as basket_at,
        min(orders.order_date) as basket_date,
        min(products.category) as category,
        sum(order_items.quantity) as quantity,
        sum(order_items.goods_amount) as revenue_amount,
        -- One line without a cost and the margin is unknown, not larger.
        case
            when count(order_items.goods_cost_amount) = count(*)
                then sum(order_items.goods_amount) - sum(order_items.goods_cost_amount)
        end as margin_amount
    from orders
    inner join order_items on orders.order_id = order_items.order_id
    inner join as_of_dates
        on as_of_dates.is_current and orders.order_date < as_of_dates.as_of_date
    left join products on order_items.product_id = products.product_id
    where orders.is_revenue_order
    group by orders.order_id, order_items.product_id
),

typed as (
    select
        basket_id,
        product_id,
        as_of_date,
        customer_id,
        customer_order_number,
        basket_at,
        basket_date,
        category,
        cast(quantity as bigint) as quantity,
        cast(revenue_amount as decimal(18, 4)) as revenue_amount,
        cast(margin_amount as decimal(18, 4)) as margin_amount,
        count(*) over (partition by basket_id) as basket_size
    from lines
)

select * from typed
