with

orders as (
    select * from {{ ref('shop_orders') }}
),

classified_orders as (
    select * from {{ ref('int_orders__classified') }}
),

order_items as (
    select * from {{ ref('int_order_items__enriched') }}
),

returns as (
    select * from {{ ref('int_returns__enriched') }}
),

item_totals as (
    select
        order_id,
        count(*) as line_count,
        sum(quantity) as item_count,
        sum(goods_amount) as goods_amount,
        -- One line without a cost and the order's cost is unknown, not smaller.
        case when count(goods_cost_amount) = count(*) then sum(goods_cost_amount) end
            as goods_cost_amount
    from order_items
    group by order_id
),

return_totals as (
    select
        order_id,
        sum(quantity) as returned_quantity,
        sum(refund_amount) as returned_amount,
        sum(returned_cost_amount) as returned_cost_amount,
        min(return_date) as first_return_date
    from returns
    group by order_id
),

with_totals as (
    select
        orders.order_id,
        orders.customer_id,
        orders.ordered_at,
        classified_orders.order_date,
        classified_orders.cancelled_date,
        classified_orders.is_cancelled,
        classified_orders.is_test,
        classified_orders.is_revenue_order,
        coalesce(item_totals.line_count, 0) as line_count,
        cast(coalesce(item_totals.item_count, 0) as bigint) as item_count,
        -- A shop without order lines still has revenue: then the order's own total of goods counts.
        cast(coalesce(
            item_totals.goods_amount, orders.items_amount - orders.discount_amount
        ) as decimal(18, 4)) as goods_amount,
        cast(item_totals.goods_cost_amount as decimal(18, 4)) as goods_cost_amount,
        cast(coalesce(return_totals.returned_quantity, 0) as bigint) as returned_quantity,
        cast(coalesce(return_totals.returned_amount, 0) as decimal(18, 4)) as refunded_amount,
        cast(
            coalesce(return_totals.returned_cost_amount, 0) as decimal(18, 4)
        ) as refunded_cost_amount,
        return_totals.first_return_date
    from orders
    inner join classified_orders on orders.order_id = classified_orders.order_id
    left join item_totals on orders.order_id = item_totals.order_id
    left join return_totals on orders.order_id = return_totals.order_id
),

-- Cancelled and test orders are numbered among themselves and their numbers thrown away below.
numbered as (
    select
        *,
        row_number() over (
            partition by customer_id, is_revenue_order order by ordered_at, order_id
        ) as number_among_alike,
        lag(order_date) over (
            partition by customer_id, is_revenue_order order by ordered_at, order_id
        ) as previous_order_date
    from with_totals
),

-- Amounts named revenue are zero for orders that do not count: their sum needs no filter.
enriched as (
    select
        order_id,
        customer_id,
        ordered_at,
        order_date,
        cancelled_date,
        is_cancelled,
        is_test,
        is_revenue_order,
        case
            when customer_id is not null and is_revenue_order
                then cast(number_among_alike as integer)
        end as customer_order_number,
        case
            when customer_id is not null and is_revenue_order then number_among_alike = 1
        end as is_first_order,
        case
            when customer_id is not null and is_revenue_order
                then cast({{ days_between('previous_order_date', 'order_date') }} as integer)
        end as days_since_previous_order,
        line_count,
        item_count,
        goods_amount,
        goods_cost_amount,
        returned_quantity,
        first_return_date,
        cast(case when is_revenue_order then goods_amount else 0 end as decimal(18, 4))
            as gross_revenue_amount,
        cast(case when is_revenue_order then refunded_amount else 0 end as decimal(18, 4))
            as returned_amount,
        cast(case
            when is_revenue_order then goods_amount - refunded_amount else 0
        end as decimal(18, 4)) as net_revenue_amount,
        cast(case
            when is_revenue_order then goods_cost_amount - refunded_cost_amount else 0
        end as decimal(18, 4)) as cost_amount,
        cast(case
            when is_revenue_order
                then goods_amount - refunded_amount - (goods_cost_amount - refunded_cost_amount)
            else 0
        end as decimal(18, 4)) as margin_amount
    from numbered
)

select * from enriched
