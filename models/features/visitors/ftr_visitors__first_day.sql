with

sessions as (
    select * from {{ ref('int_sessions__described') }}
),

first_sessions as (
    select
        *,
        {{ date_add_days('session_ended_at', 1) }} as as_of_date
    from sessions
    where session_number = 1
),

first_day as (
    select
        first_sessions.as_of_date,
        sessions.*
    from first_sessions
    inner join sessions
        on first_sessions.visitor_id = sessions.visitor_id
    -- Known on the morning of the as-of date: sessions that had ended.
    where sessions.session_ended_at < cast(first_sessions.as_of_date as timestamp)
),

measured as (
    select
        visitor_id,
        as_of_date,
        count(*) as session_count,
        sum(page_view_count) as page_view_count,
        sum(product_view_count) as product_view_count,
        sum(search_count) as search_count,
        sum(wishlist_add_count) as wishlist_add_count,
        sum(cart_add_count) as cart_add_count,
        sum(checkout_count) as checkout_count,
        sum(purchase_count) as purchase_count,
        sum({{ seconds_between('session_started_at', 'session_ended_at') }}) as visit_seconds,
        max(session_ended_at) as last_session_ended_at
    from first_day
    group by visitor_id, as_of_date
)

select
    measured.visitor_id,
    measured.as_of_date,
    measured.session_count,
    measured.page_view_count,
    measured.product_view_count,
    measured.search_count,
    measured.wishlist_add_count,
    measured.cart_add_count,
    measured.checkout_count,
    measured.purchase_count,
    measured.visit_seconds,
    first_sessions.traffic_medium,
    first_sessions.device_category,
    first_sessions.customer_id_at_start is not null as is_signed_in,
    measured.last_session_ended_at
from measured
inner join first_sessions on measured.visitor_id = first_sessions.visitor_id
