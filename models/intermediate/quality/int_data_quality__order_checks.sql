with

orders as (
    select * from {{ ref('shop_orders') }}
),

order_items as (
    select * from {{ ref('shop_order_items') }}
),

payments as (
    select * from {{ ref('shop_payments') }}
),

products as (
    select * from {{ ref('shop_products') }}
),

rejected_items as (
    select * from {{ ref('shop_quarantine') }}
    where entity = 'order_items'
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

item_totals as (
    select
        order_id,
        sum(line_amount) as lines_amount
    from order_items
    group by order_id
),

-- What was captured stays captured when it is given back later.
payment_totals as (
    select
        order_id,
        sum(case when payment_status <> 'failed' then amount else 0 end) as captured_amount
    from payments
    group by order_id
),

-- Lines that were all rejected were delivered: no order has one.
delivered as (
    select
        (select count(*) from order_items) > 0
        or (select count(*) from rejected_items) > 0 as has_order_items,
        (select count(*) from payments) > 0 as has_payments
),

-- What the total says the goods cost, with the tax still in it.
goods_totals as (
    select
        order_id,
        total_amount - shipping_amount + discount_amount as goods_amount
    from orders
),

-- Two hundredths: cents rounded in the order's currency and again when converted.
judged as (
    select
        delivered.has_order_items,
        delivered.has_payments and orders.order_status = 'completed' and not orders.is_test
            as must_be_paid,
        item_totals.order_id is not null as has_items,
        abs(goods_totals.goods_amount - item_totals.lines_amount) > 0.02
        and abs(goods_totals.goods_amount - orders.tax_amount - item_totals.lines_amount) > 0.02
            as differs_from_items,
        abs(orders.total_amount - coalesce(payment_totals.captured_amount, 0)) > 0.02
            as differs_from_payments
    from orders
    cross join delivered
    inner join goods_totals on orders.order_id = goods_totals.order_id
    left join item_totals on orders.order_id = item_totals.order_id
    left join payment_totals on orders.order_id = payment_totals.order_id
),

-- A date that was set may lie before the last order on purpose.
last_day as (
    select max(as_of_date) as as_of_date
    from as_of_dates
    where is_current and {{ configured_as_of_date() }} is null
),

later_orders as (
    select
        count(*) as order_count,
        coalesce(sum(
            case when {{ local_date('orders.ordered_at') }} >= last_day.as_of_date then 1 else 0 end
        ), 0) as later_count
    from orders
    cross join last_day
),

-- Nothing is missed in a catalogue that no connector delivers.
listed_items as (
    select
        count(*) as item_count,
        count(*) - count(products.product_id) as unlisted_count
    from order_items
    left join products on order_items.product_id = products.product_id
    where {{ 'true' if connector_of_entity('products') else 'false' }}
),

checks as (
    select
        'orders_after_the_as_of_date' as check_name,
        'orders' as entity,
        order_count as checked_count,
        later_count as affected_count
    from later_orders
    union all
    select
        'orders_without_items' as check_name,
        'orders' as entity,
        coalesce(sum(case when has_order_items then 1 else 0 end), 0) as checked_count,
        coalesce(sum(case when has_order_items and not has_items then 1 else 0 end), 0)
            as affected_count
    from judged
    union all
    select
        'order_totals_differ_from_items' as check_name,
        'orders' as entity,
        coalesce(sum(case when has_items then 1 else 0 end), 0) as checked_count,
        coalesce(sum(case when has_items and differs_from_items then 1 else 0 end), 0)
            as affected_count
    from judged
    union all
    select
        'payments_differ_from_orders' as check_name,
        'payments' as entity,
        coalesce(sum(case when must_be_paid then 1 else 0 end), 0) as checked_count,
        coalesce(sum(case when must_be_paid and differs_from_payments then 1 else 0 end), 0)
            as affected_count
    from judged
    union all
    select
        'items_of_unlisted_products' as check_name,
        'order_items' as entity,
        item_count as checked_count,
        unlisted_count as affected_count
    from listed_items
)

select * from checks
