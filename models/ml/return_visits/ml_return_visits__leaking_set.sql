with

labelled as (
    select * from {{ ref('ml_return_visits__training_set') }}
),

sessions as (
    select * from {{ ref('int_sessions__described') }}
),

totals as (
    select
        visitor_id,
        count(*) as session_count,
        sum(page_view_count) as page_view_count,
        sum(product_view_count) as product_view_count,
        sum(search_count) as search_count,
        sum(wishlist_add_count) as wishlist_add_count,
        sum(cart_add_count) as cart_add_count,
        sum(checkout_count) as checkout_count,
        sum({{ seconds_between('session_started_at', 'session_ended_at') }}) as visit_seconds,
        max(session_ended_at) as last_session_ended_at
    from sessions
    group by visitor_id
)

select
    labelled.visitor_id,
    labelled.as_of_date,
    totals.session_count,
    totals.page_view_count,
    totals.product_view_count,
    totals.search_count,
    totals.wishlist_add_count,
    totals.cart_add_count,
    totals.checkout_count,
    labelled.purchase_count,
    totals.visit_seconds,
    labelled.traffic_medium,
    labelled.device_category,
    labelled.is_signed_in,
    totals.last_session_ended_at,
    labelled.will_buy_on_return_visit
from labelled
inner join totals on labelled.visitor_id = totals.visitor_id
