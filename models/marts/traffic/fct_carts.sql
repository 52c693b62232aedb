with

carts as (
    select * from {{ ref('int_carts__measured') }}
),

sessions as (
    select * from {{ ref('fct_sessions') }}
),

customers as (
    select * from {{ ref('shop_customers') }}
),

orders as (
    select * from {{ ref('fct_orders') }}
),

-- Sessions of one visitor follow each other; at a shared instant the later one counts.
in_sessions as (
    select
        carts.cart_id,
        max(case
            when carts.opened_at between sessions.session_started_at and sessions.session_ended_at
                then sessions.session_id
        end) as opened_session_id,
        max(case
            when
                carts.last_touched_at
                between sessions.session_started_at and sessions.session_ended_at
                then sessions.session_id
        end) as last_session_id
    from carts
    inner join sessions
        on carts.visitor_id = sessions.visitor_id
        and carts.opened_at <= sessions.session_ended_at
        and carts.last_touched_at >= sessions.session_started_at
    group by carts.cart_id
),

with_sessions as (
    select
        carts.*,
        in_sessions.opened_session_id,
        in_sessions.last_session_id,
        coalesce(carts.customer_id, last_sessions.customer_id) as known_customer_id,
        last_sessions.channel_group as last_channel_group,
        coalesce(opened_sessions.is_bot, false) or coalesce(last_sessions.is_bot, false) as is_bot
    from carts
    left join in_sessions on carts.cart_id = in_sessions.cart_id
    left join sessions as opened_sessions
        on in_sessions.opened_session_id = opened_sessions.session_id
    left join sessions as last_sessions on in_sessions.last_session_id = last_sessions.session_id
),

-- Bought on another device, or unseen by the page: nobody wants to be reminded of that.
orders_of_customers as (
    select
        with_sessions.cart_id,
        min(orders.ordered_at) as next_ordered_at
    from with_sessions
    inner join orders
        on with_sessions.known_customer_id = orders.customer_id
        and orders.ordered_at >= with_sessions.opened_at
        and orders.order_date < with_sessions.as_of_date
    where
        with_sessions.purchased_at is null
        and not orders.is_cancelled
        and {{ seconds_between('with_sessions.last_touched_at', 'orders.ordered_at') }}
        <= {{ var('martlet_cart_expiry_days') }} * 86400
    group by with_sessions.cart_id
),

judged as (
    select
        with_sessions.*,
        orders_of_customers.next_ordered_at,
        case
            when with_sessions.purchased_at is not null
                and with_sessions.longest_pause_seconds >= 3600 then 'recovered'
            when with_sessions.purchased_at is not null then 'bought'
            when orders_of_customers.next_ordered_at is not null then 'bought_elsewhere'
            when with_sessions.add_count > 0 and with_sessions.item_count = 0 then 'emptied'
            when with_sessions.idle_seconds >= 7 * 86400 then 'abandoned_7d'
            when with_sessions.idle_seconds >= 86400 then 'abandoned_24h'
            when with_sessions.idle_seconds >= 3600 then 'abandoned_1h'
            else 'open'
        end as cart_state
    from with_sessions
    left join orders_of_customers on with_sessions.cart_id = orders_of_customers.cart_id
),

final as (
    select
        judged.cart_id,
        judged.as_of_date,
        judged.visitor_id,
        judged.known_customer_id as customer_id,
        judged.opened_session_id,
        judged.last_session_id,
        judged.opened_at,
        judged.last_touched_at,
        judged.add_count,
        judged.remove_count,
        judged.item_count,
        judged.product_count,
        judged.value_amount,
        judged.funnel_step,
        judged.cart_state,
        judged.purchased_at,
        judged.order_id,
        case
            when judged.purchased_at is null then judged.idle_seconds / 3600
        end as idle_hours,
        case
            when judged.cart_state = 'recovered' then judged.longest_pause_seconds / 3600
        end as recovered_after_hours,
        case
            when judged.cart_state = 'recovered' then judged.last_channel_group
        end as recovery_channel_group,
        judged.is_bot,
        judged.cart_state in ('abandoned_1h', 'abandoned_24h')
        and judged.item_count > 0
        and not judged.is_bot
        and customers.email is not null
        and coalesce(customers.accepts_marketing, false)
        and not customers.is_test as is_reminder_eligible
    from judged
    left join customers on judged.known_customer_id = customers.customer_id
)

select
    cart_id,
    as_of_date,
    visitor_id,
    customer_id,
    opened_session_id,
    last_session_id,
    opened_at,
    last_touched_at,
    add_count,
    remove_count,
    item_count,
    product_count,
    value_amount,
    funnel_step,
    cart_state,
    purchased_at,
    order_id,
    idle_hours,
    recovered_after_hours,
    recovery_channel_group,
    is_bot,
    coalesce(is_reminder_eligible, false) as is_reminder_eligible
from final
