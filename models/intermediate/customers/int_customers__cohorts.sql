with

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

orders as (
    select * from {{ ref('int_orders__enriched') }}
),

shop_orders as (
    select * from {{ ref('shop_orders') }}
),

first_orders as (
    select
        orders.customer_id,
        orders.order_id as first_order_id,
        orders.ordered_at as first_ordered_at,
        orders.order_date as first_order_date,
        cast(date_trunc('month', orders.order_date) as date) as cohort_month,
        orders.goods_amount as first_order_amount,
        shop_orders.acquisition_channel as first_order_channel,
        shop_orders.coupon_code is not null as has_first_order_coupon
    from orders
    inner join shop_orders on orders.order_id = shop_orders.order_id
    inner join as_of_dates
        on orders.order_date < as_of_dates.as_of_date and as_of_dates.is_current
    where orders.is_first_order
)

select * from first_orders
