{# Renders CTEs that put the events of a CTE called `sessions` in order and say after each of them what the session
   has come to so far; they end with `running`. Every window ends with the event itself. Also reads `products`. #}
{% macro session_event_steps() -%}
asked_visitors as (
    select
        visitor_id,
        min(session_started_at) as asked_since_at
    from sessions
    group by visitor_id
),

ordered_events as (
    select
        events.visitor_id,
        events.event_at,
        events.event_name,
        events.customer_id,
        events.product_id,
        events.quantity,
        cast(events.value_amount as double) as value_amount,
        {{ event_order_key('events.event_at', 'events.event_id') }} as order_key
    from {{ ref('shop_events') }} as events
    inner join asked_visitors
        on events.visitor_id = asked_visitors.visitor_id
        and events.event_at >= asked_visitors.asked_since_at
),

-- Events between two starts belong to the first of them, also when its session is not asked for.
session_starts as (
    select first_key from cut_sessions
),

placed_events as (
    select
        ordered_events.*,
        max(session_starts.first_key) over (
            partition by ordered_events.visitor_id order by ordered_events.order_key
            rows between unbounded preceding and current row
        ) as first_key
    from ordered_events
    left join session_starts on ordered_events.order_key = session_starts.first_key
),

described_events as (
    select
        placed_events.*,
        sessions.session_started_at,
        sessions.is_known_at_start,
        products.category,
        case
            when placed_events.event_name = 'add_to_cart' then coalesce(placed_events.quantity, 1)
            when placed_events.event_name = 'remove_from_cart'
                then -coalesce(placed_events.quantity, 1)
            else 0
        end as cart_change,
        {{ seconds_between('sessions.session_started_at', 'placed_events.event_at') }}
            as seconds_since_start
    from placed_events
    inner join sessions on placed_events.first_key = sessions.first_key
    left join products on placed_events.product_id = products.product_id
),

-- What a product cost when it was put in, so that taking it out takes as much away.
seen_events as (
    select
        described_events.*,
        case
            when product_id is not null and row_number() over (
                partition by first_key, product_id order by order_key
            ) = 1 then 1
            else 0
        end as opens_product,
        case
            when category is not null and row_number() over (
                partition by first_key, category order by order_key
            ) = 1 then 1
            else 0
        end as opens_category,
        sum(case when event_name = 'add_to_cart' then value_amount end) over product_so_far
        / nullif(sum(
            case when event_name = 'add_to_cart' and value_amount is not null then cart_change end
        ) over product_so_far, 0) as unit_amount
    from described_events
    window product_so_far as (
        partition by first_key, product_id order by order_key
        rows between unbounded preceding and current row
    )
),

running as (
    select
        first_key,
        order_key,
        event_at,
        event_name,
        session_started_at,
        seconds_since_start,
        lead(seconds_since_start) over (partition by first_key order by order_key)
            as next_seconds_since_start,
        lag(seconds_since_start) over (partition by first_key order by order_key)
            as previous_seconds_since_start,
        count(*) over so_far as event_count,
        {%- for name, events in {
            'page_view_count': ['page_view'],
            'product_view_count': ['view_item'],
            'list_view_count': ['view_item_list'],
            'search_count': ['search'],
            'wishlist_add_count': ['add_to_wishlist'],
            'cart_add_count': ['add_to_cart'],
            'cart_remove_count': ['remove_from_cart'],
            'cart_view_count': ['view_cart'],
            'purchase_count': ['purchase'],
        }.items() %}
        sum(case when event_name in ('{{ events | join("', '") }}') then 1 else 0 end) over so_far
            as {{ name }},
        {%- endfor %}
        max(case event_name
            when 'begin_checkout' then 1
            when 'add_shipping_info' then 2
            when 'add_payment_info' then 3
            else 0
        end) over so_far as checkout_step,
        sum(opens_product) over so_far as distinct_product_count,
        sum(opens_category) over so_far as distinct_category_count,
        avg(case when event_name = 'view_item' then value_amount end) over so_far
            as seen_price_amount,
        greatest(sum(cart_change) over so_far, 0) as cart_item_count,
        greatest(sum(case
            when event_name = 'add_to_cart' then coalesce(value_amount, unit_amount * cart_change)
            when event_name = 'remove_from_cart' then unit_amount * cart_change
        end) over so_far, 0) as cart_amount,
        max(case when customer_id is not null or is_known_at_start then 1 else 0 end) over so_far
            as is_known
    from seen_events
    window so_far as (
        partition by first_key order by order_key
        rows between unbounded preceding and current row
    )
)
{%- endmacro %}
