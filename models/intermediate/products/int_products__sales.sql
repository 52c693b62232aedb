with

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

order_items as (
    select * from {{ ref('int_order_items__enriched') }}
),

orders as (
    select * from {{ ref('int_orders__classified') }}
),

returns as (
    select * from {{ ref('int_returns__enriched') }}
),

sales as (
    select
        order_items.product_id,
        count(distinct order_items.order_id) as order_count,
        sum(order_items.quantity) as sold_quantity,
        sum(order_items.goods_amount) as gross_revenue_amount,
        min(orders.order_date) as first_sold_date,
        max(orders.order_date) as last_sold_date
    from order_items
    inner join orders on order_items.order_id = orders.order_id
    inner join as_of_dates
        on orders.order_date < as_of_dates.as_of_date and as_of_dates.is_current
    where orders.is_revenue_order
    group by order_items.product_id
),

product_returns as (
    select
        returns.product_id,
        sum(coalesce(returns.quantity, 0)) as returned_quantity,
        sum(returns.refund_amount) as returned_amount
    from returns
    inner join as_of_dates
        on returns.known_from_date < as_of_dates.as_of_date and as_of_dates.is_current
    where returns.is_counted and returns.product_id is not null
    group by returns.product_id
),

combined as (
    select
        coalesce(sales.product_id, product_returns.product_id) as product_id,
        coalesce(sales.order_count, 0) as order_count,
        cast(coalesce(sales.sold_quantity, 0) as bigint) as sold_quantity,
        cast(coalesce(product_returns.returned_quantity, 0) as bigint) as returned_quantity,
        cast(coalesce(sales.gross_revenue_amount, 0) as decimal(18, 4)) as gross_revenue_amount,
        cast(coalesce(product_returns.returned_amount, 0) as decimal(18, 4)) as returned_amount,
        sales.first_sold_date,
        sales.last_sold_date
    from sales
    full outer join product_returns on sales.product_id = product_returns.product_id
)

select * from combined
