with

cart_events as (
    select * from {{ ref('int_cart_events__assigned') }}
),

cart_items as (
    select * from {{ ref('int_cart_items__netted') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

item_totals as (
    select
        cart_id,
        sum(quantity) as item_count,
        count(case when quantity > 0 then product_id end) as product_count,
        sum(value_amount) as value_amount
    from cart_items
    group by cart_id
),

event_totals as (
    select
        cart_id,
        visitor_id,
        min(event_at) as opened_at,
        max(event_at) as last_touched_at,
        count(case when event_name = 'add_to_cart' then event_id end) as add_count,
        count(case when event_name = 'remove_from_cart' then event_id end) as remove_count,
        -- A look at the cart is no step; a cart that was only checked out was filled unseen.
        max(case
            when event_name in ('view_cart', 'remove_from_cart') then 3
            else {{ funnel_step('event_name') }}
        end) as funnel_step,
        min(case when event_name = 'purchase' then event_at end) as purchased_at,
        max(case when event_name = 'purchase' then order_id end) as order_id,
        max(coalesce(pause_seconds, 0)) as longest_pause_seconds,
        {{ value_at_max('customer_id', 'case when customer_id is not null then event_at end') }}
            as customer_id
    from cart_events
    group by cart_id, visitor_id
),

measured as (
    select
        event_totals.cart_id,
        as_of_dates.as_of_date,
        event_totals.visitor_id,
        event_totals.customer_id,
        event_totals.opened_at,
        event_totals.last_touched_at,
        event_totals.add_count,
        event_totals.remove_count,
        cast(coalesce(item_totals.item_count, 0) as bigint) as item_count,
        coalesce(item_totals.product_count, 0) as product_count,
        cast(item_totals.value_amount as decimal(18, 4)) as value_amount,
        event_totals.funnel_step,
        event_totals.purchased_at,
        event_totals.order_id,
        event_totals.longest_pause_seconds,
        -- Until the midnight that begins the as-of date, on the shop's clock.
        {{ seconds_between(
            local_timestamp('event_totals.last_touched_at'),
            'cast(as_of_dates.as_of_date as timestamp)'
        ) }} as idle_seconds
    from event_totals
    inner join as_of_dates on as_of_dates.is_current
    left join item_totals on event_totals.cart_id = item_totals.cart_id
)

select * from measured
