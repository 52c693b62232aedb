with

events as (
    select * from {{ ref('shop_events') }}
),

quarantine as (
    select * from {{ ref('shop_quarantine') }}
),

customers as (
    select * from {{ ref('shop_customers') }}
),

orders as (
    select * from {{ ref('shop_orders') }}
    where not is_test
),

event_counts as (
    select
        count(*) as event_count,
        min(event_at) as first_event_at,
        max(event_at) as last_event_at,
        count(order_id) as event_of_order_count,
        count(*) - count(visitor_id) as without_visitor_count,
        coalesce(sum(case
            when {{ seconds_between('event_at', 'received_at') }} > 86400 then 1 else 0
        end), 0) as late_count
    from events
),

duplicate_counts as (
    select count(*) as duplicate_count
    from quarantine
    where entity = 'events' and rejection_reason = 'duplicate_row'
),

sign_up_counts as (
    select
        count(*) as event_count,
        coalesce(sum(case when events.event_at < customers.registered_at then 1 else 0 end), 0)
            as before_sign_up_count
    from events
    inner join customers on events.customer_id = customers.customer_id
),

orders_of_events as (
    select distinct order_id
    from events
    where order_id is not null
),

-- Only orders of the time events were collected in, by pages that tell the order.
order_counts as (
    select
        count(*) as order_count,
        count(*) - count(orders_of_events.order_id) as without_event_count
    from orders
    inner join event_counts
        on event_counts.event_of_order_count > 0
        and orders.ordered_at >= event_counts.first_event_at
        and orders.ordered_at <= event_counts.last_event_at
    left join orders_of_events on orders.order_id = orders_of_events.order_id
),

checks as (
    select
        'events_without_visitor' as check_name,
        'events' as entity,
        event_count as checked_count,
        without_visitor_count as affected_count
    from event_counts
    union all
    select
        'late_events' as check_name,
        'events' as entity,
        event_count as checked_count,
        late_count as affected_count
    from event_counts
    union all
    select
        'duplicate_events' as check_name,
        'events' as entity,
        event_counts.event_count + duplicate_counts.duplicate_count as checked_count,
        duplicate_counts.duplicate_count as affected_count
    from event_counts
    cross join duplicate_counts
    union all
    select
        'events_before_sign_up' as check_name,
        'events' as entity,
        event_count as checked_count,
        before_sign_up_count as affected_count
    from sign_up_counts
    union all
    select
        'orders_without_session' as check_name,
        'orders' as entity,
        order_count as checked_count,
        without_event_count as affected_count
    from order_counts
)

select * from checks
