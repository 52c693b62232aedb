with

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

days as (
    select * from {{ ref('int_days__matched_to_as_of_dates') }}
),

orders as (
    select * from {{ ref('int_orders__enriched') }}
),

returns as (
    select * from {{ ref('int_returns__enriched') }}
),

-- Orders as they were known: from the first snapshot after the order to the first one after its
-- cancellation. An order cancelled later was an order until then.
known_orders as (
    select
        orders.customer_id,
        order_days.first_as_of_date as known_from,
        cancellation_days.first_as_of_date as known_until,
        count(*) as order_count,
        sum(orders.item_count) as item_count,
        sum(orders.goods_amount) as gross_revenue_amount,
        sum(coalesce(orders.goods_cost_amount, 0)) as cost_amount,
        count(*) - count(orders.goods_cost_amount) as orders_without_cost,
        0 as return_count,
        0 as returned_quantity,
        0 as returned_amount,
        0 as returned_cost_amount,
        min(orders.order_date) as first_order_date,
        max(orders.order_date) as last_order_date,
        cast(null as date) as last_return_date
    from orders
    inner join days as order_days on orders.order_date = order_days.calendar_date
    left join days as cancellation_days
        on orders.cancelled_date = cancellation_days.calendar_date
    where orders.customer_id is not null and not orders.is_test
    group by orders.customer_id, order_days.first_as_of_date, cancellation_days.first_as_of_date
),

known_returns as (
    select
        returns.customer_id,
        return_days.first_as_of_date as known_from,
        cancellation_days.first_as_of_date as known_until,
        0 as order_count,
        0 as item_count,
        0 as gross_revenue_amount,
        0 as cost_amount,
        0 as orders_without_cost,
        count(*) as return_count,
        sum(coalesce(returns.quantity, 0)) as returned_quantity,
        sum(returns.refund_amount) as returned_amount,
        sum(returns.returned_cost_amount) as returned_cost_amount,
        cast(null as date) as first_order_date,
        cast(null as date) as last_order_date,
        max(returns.known_from_date) as last_return_date
    from returns
    inner join days as return_days on returns.known_from_date = return_days.calendar_date
    left join days as cancellation_days
        on returns.order_cancelled_date = cancellation_days.calendar_date
    where returns.customer_id is not null and not returns.is_test
    group by
        returns.customer_id, return_days.first_as_of_date, cancellation_days.first_as_of_date
),

-- At most a handful of rows a customer: everything before the first snapshot is one row.
known_facts as (
    select * from known_orders
    union all
    select * from known_returns
),

totals as (
    select
        known_facts.customer_id,
        as_of_dates.as_of_date,
        as_of_dates.is_current,
        cast(sum(known_facts.order_count) as bigint) as order_count,
        cast(sum(known_facts.item_count) as bigint) as item_count,
        cast(sum(known_facts.gross_revenue_amount) as decimal(18, 4)) as gross_revenue_amount,
        cast(sum(known_facts.cost_amount) as decimal(18, 4)) as known_cost_amount,
        cast(sum(known_facts.orders_without_cost) as bigint) as orders_without_cost,
        cast(sum(known_facts.return_count) as bigint) as return_count,
        cast(sum(known_facts.returned_quantity) as bigint) as returned_quantity,
        cast(sum(known_facts.returned_amount) as decimal(18, 4)) as returned_amount,
        cast(sum(known_facts.returned_cost_amount) as decimal(18, 4)) as returned_cost_amount,
        min(known_facts.first_order_date) as first_order_date,
        max(known_facts.last_order_date) as last_order_date,
        max(known_facts.last_return_date) as last_return_date
    from known_facts
    inner join as_of_dates
        on known_facts.known_from <= as_of_dates.as_of_date
        and (
            known_facts.known_until is null
            or as_of_dates.as_of_date < known_facts.known_until
        )
    group by known_facts.customer_id, as_of_dates.as_of_date, as_of_dates.is_current
)

select * from totals
