-- What a snapshot says is what the shop's own rows say about the time before the as-of date begins
-- on the shop's clock. Worked out here order by order, without the steps the features are made of.
with

as_of_dates as (
    select
        as_of_date,
        cast(as_of_date as timestamp) as as_of_at
    from {{ ref('int_as_of_dates__spine') }}
),

shop_orders as (
    select * from {{ ref('shop_orders') }}
),

order_items as (
    select * from {{ ref('shop_order_items') }}
),

shop_returns as (
    select * from {{ ref('shop_returns') }}
),

customers as (
    select * from {{ ref('shop_customers') }}
),

lifetime_value as (
    select * from {{ ref('ftr_customers__lifetime_value') }}
),

cadence as (
    select * from {{ ref('ftr_customers__cadence') }}
),

rfm as (
    select * from {{ ref('ftr_customers__rfm') }}
),

orders as (
    select
        shop_orders.order_id,
        shop_orders.customer_id,
        {{ local_timestamp('shop_orders.ordered_at') }} as began_at,
        case
            when shop_orders.is_cancelled then {{ local_timestamp(
                'coalesce(shop_orders.cancelled_at, shop_orders.ordered_at)'
            ) }}
        end as ended_at,
        coalesce(
            sum(order_items.line_amount), shop_orders.items_amount
        ) - shop_orders.discount_amount as revenue
    from shop_orders
    left join order_items on shop_orders.order_id = order_items.order_id
    left join customers on shop_orders.customer_id = customers.customer_id
    where not shop_orders.is_test and not coalesce(customers.is_test, false)
    group by
        shop_orders.order_id,
        shop_orders.customer_id,
        shop_orders.ordered_at,
        shop_orders.is_cancelled,
        shop_orders.cancelled_at,
        shop_orders.items_amount,
        shop_orders.discount_amount
),

returns as (
    select
        coalesce(shop_returns.customer_id, orders.customer_id) as customer_id,
        {{ local_timestamp('shop_returns.returned_at') }} as returned_at,
        orders.began_at,
        orders.ended_at,
        shop_returns.refund_amount
    from shop_returns
    left join order_items on shop_returns.order_item_id = order_items.order_item_id
    left join orders
        on coalesce(shop_returns.order_id, order_items.order_id) = orders.order_id
    left join shop_orders
        on coalesce(shop_returns.order_id, order_items.order_id) = shop_orders.order_id
    left join customers
        on coalesce(shop_returns.customer_id, shop_orders.customer_id) = customers.customer_id
    where
        not coalesce(customers.is_test, false)
        and (shop_orders.order_id is null or orders.order_id is not null)
),

facts as (
    select
        orders.customer_id,
        as_of_dates.as_of_date,
        1 as order_count,
        case
            when orders.began_at >= as_of_dates.as_of_at - interval 90 day then 1 else 0
        end as order_count_90_days,
        orders.revenue,
        0 as returned,
        cast(orders.began_at as date) as order_date
    from orders
    inner join as_of_dates
        on orders.began_at < as_of_dates.as_of_at
        and (orders.ended_at is null or orders.ended_at >= as_of_dates.as_of_at)
    union all
    select
        returns.customer_id,
        as_of_dates.as_of_date,
        0 as order_count,
        0 as order_count_90_days,
        0 as revenue,
        returns.refund_amount as returned,
        cast(null as date) as order_date
    from returns
    inner join as_of_dates
        on returns.returned_at < as_of_dates.as_of_at
        and coalesce(returns.began_at, returns.returned_at) < as_of_dates.as_of_at
        and (returns.ended_at is null or returns.ended_at >= as_of_dates.as_of_at)
),

expected as (
    select
        customer_id,
        as_of_date,
        sum(order_count) as order_count,
        sum(order_count_90_days) as order_count_90_days,
        sum(revenue) as gross_revenue_amount,
        sum(returned) as returned_amount,
        max(order_date) as last_order_date
    from facts
    where customer_id is not null
    group by customer_id, as_of_date
),

found as (
    select
        lifetime_value.customer_id,
        lifetime_value.as_of_date,
        lifetime_value.order_count,
        coalesce(cadence.order_count_90_days, 0) as order_count_90_days,
        lifetime_value.gross_revenue_amount,
        lifetime_value.returned_amount,
        lifetime_value.last_order_date,
        rfm.recency_days,
        rfm.frequency,
        cadence.days_since_last_order
    from lifetime_value
    left join cadence
        on lifetime_value.customer_id = cadence.customer_id
        and lifetime_value.as_of_date = cadence.as_of_date
    left join rfm
        on lifetime_value.customer_id = rfm.customer_id
        and lifetime_value.as_of_date = rfm.as_of_date
),

differences as (
    select
        expected.customer_id as expected_customer_id,
        found.*
    from expected
    full outer join found
        on expected.customer_id = found.customer_id and expected.as_of_date = found.as_of_date
    where
        expected.customer_id is null
        or found.customer_id is null
        or expected.order_count <> found.order_count
        or expected.order_count_90_days <> found.order_count_90_days
        or expected.gross_revenue_amount <> found.gross_revenue_amount
        or expected.returned_amount <> found.returned_amount
        or expected.last_order_date <> found.last_order_date
        or (expected.order_count > 0 and (
            found.frequency is null
            or found.frequency <> expected.order_count
            or found.recency_days < 1
            or found.recency_days <> found.days_since_last_order
            or found.recency_days
            <> {{ days_between('expected.last_order_date', 'expected.as_of_date') }}
        ))
)

select * from differences
