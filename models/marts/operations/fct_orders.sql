with

shop_orders as (
    select * from {{ ref('shop_orders') }}
),

orders as (
    select * from {{ ref('int_orders__enriched') }}
),

described as (
    select
        orders.order_id,
        orders.customer_id,
        shop_orders.visitor_id,
        orders.ordered_at,
        orders.order_date,
        shop_orders.order_status,
        orders.is_revenue_order,
        orders.is_cancelled,
        orders.is_test,
        shop_orders.cancelled_at,
        case
            when not orders.is_revenue_order then null
            when orders.customer_id is null then 'guest'
            when orders.is_first_order then 'new'
            else 'returning'
        end as customer_type,
        orders.customer_order_number,
        orders.days_since_previous_order,
        orders.line_count,
        orders.item_count,
        shop_orders.currency_code,
        shop_orders.exchange_rate,
        shop_orders.items_amount,
        shop_orders.discount_amount,
        shop_orders.shipping_amount,
        shop_orders.tax_amount,
        shop_orders.total_amount,
        orders.gross_revenue_amount,
        orders.returned_amount,
        orders.net_revenue_amount,
        orders.cost_amount,
        orders.margin_amount,
        orders.returned_quantity,
        orders.first_return_date,
        shop_orders.coupon_code,
        shop_orders.acquisition_channel,
        shop_orders.billing_country_code,
        shop_orders.shipping_country_code,
        {{ keyed_hash('shop_orders.email') }} as email_hash,
        {{ keyed_hash('shop_orders.ip_address') }} as ip_address_hash,
        {{ keyed_hash('shop_orders.device_id') }} as device_hash
    from orders
    inner join shop_orders on orders.order_id = shop_orders.order_id
)

select * from described
