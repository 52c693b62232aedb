with

events as (
    select * from {{ ref('shop_events') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

cart_events as (
    select
        events.event_id,
        events.visitor_id,
        events.customer_id,
        events.event_at,
        events.event_name,
        events.product_id,
        events.quantity,
        events.value_amount,
        events.order_id
    from events
    inner join as_of_dates
        on as_of_dates.is_current
        and {{ local_date('events.event_at') }} < as_of_dates.as_of_date
    where
        events.visitor_id is not null
        and events.event_name in (
            'add_to_cart', 'remove_from_cart', 'view_cart', 'begin_checkout', 'add_shipping_info',
            'add_payment_info', 'purchase'
        )
),

spaced as (
    select
        *,
        lag(event_name) over (
            partition by visitor_id order by event_at, event_id
        ) as previous_event_name,
        lag(event_at) over (
            partition by visitor_id order by event_at, event_id
        ) as previous_event_at
    from cart_events
),

-- A purchase empties the cart; after the pause nobody comes back to it.
marked as (
    select
        *,
        case
            when previous_event_at is null then 1
            when previous_event_name = 'purchase' then 1
            when {{ seconds_between('previous_event_at', 'event_at') }}
                > {{ var('martlet_cart_expiry_days') }} * 86400 then 1
            else 0
        end as starts_cart
    from spaced
),

numbered as (
    select
        *,
        sum(starts_cart) over (
            partition by visitor_id order by event_at, event_id
            rows between unbounded preceding and current row
        ) as cart_number
    from marked
),

identified as (
    select
        *,
        first_value(event_id) over (
            partition by visitor_id, cart_number order by event_at, event_id
        ) as first_event_id,
        max(case
            when event_name in (
                    'add_to_cart', 'begin_checkout', 'add_shipping_info', 'add_payment_info'
                ) then 1
            else 0
        end) over (partition by visitor_id, cart_number) as has_content
    from numbered
),

-- A look at an empty cart, or a thank-you page loaded again, is no cart.
assigned as (
    select
        event_id,
        {{ hash_text(['visitor_id', 'first_event_id']) }} as cart_id,
        visitor_id,
        customer_id,
        event_at,
        event_name,
        product_id,
        case
            when event_name = 'add_to_cart' then coalesce(quantity, 1)
            when event_name = 'remove_from_cart' then -coalesce(quantity, 1)
        end as quantity_change,
        value_amount,
        order_id,
        case
            when starts_cart = 0 then {{ seconds_between('previous_event_at', 'event_at') }}
        end as pause_seconds
    from identified
    where has_content = 1
)

select * from assigned
