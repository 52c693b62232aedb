-- Whoever buys is bound to an address in three ways: the order came from it, the browser that
-- ordered was seen at it, or the customer was signed in at it. A link is known from the day on
-- which both ends are.
with

orders as (
    select * from {{ ref('shop_orders') }}
    where not is_test
),

requests as (
    select * from {{ ref('shop_page_requests') }}
),

events as (
    select * from {{ ref('shop_events') }}
),

addresses as (
    select * from {{ ref('int_ip_addresses__listed') }}
    where address_id is not null
),

dated_orders as (
    select
        order_id,
        customer_id,
        visitor_id,
        ip_address,
        cast(total_amount as double) as total_amount,
        is_cancelled,
        {{ local_date('ordered_at') }} as order_date
    from orders
),

buying_visitors as (
    select distinct visitor_id from dated_orders
    where visitor_id is not null
),

buying_customers as (
    select distinct customer_id from dated_orders
    where customer_id is not null
),

-- Only browsers and customers that ever bought are looked up; when they did decides below.
visitor_sightings as (
    select
        events.visitor_id,
        events.ip_address,
        min(least(events.event_at, events.received_at)) as first_seen_at
    from events
    inner join buying_visitors on events.visitor_id = buying_visitors.visitor_id
    group by events.visitor_id, events.ip_address
    union all
    select
        requests.visitor_id,
        requests.ip_address,
        min(requests.requested_at) as first_seen_at
    from requests
    inner join buying_visitors on requests.visitor_id = buying_visitors.visitor_id
    group by requests.visitor_id, requests.ip_address
),

customer_sightings as (
    select
        events.customer_id,
        events.ip_address,
        min(least(events.event_at, events.received_at)) as first_seen_at
    from events
    inner join buying_customers on events.customer_id = buying_customers.customer_id
    group by events.customer_id, events.ip_address
),

links as (
    select
        addresses.address_id,
        dated_orders.order_id,
        'address' as link_kind,
        dated_orders.order_date as known_from_date
    from dated_orders
    inner join addresses on dated_orders.ip_address = addresses.ip_address
    union all
    select
        addresses.address_id,
        events.order_id,
        'address' as link_kind,
        {{ local_date('least(events.event_at, events.received_at)') }} as known_from_date
    from events
    inner join addresses on events.ip_address = addresses.ip_address
    where events.order_id is not null
    union all
    select
        addresses.address_id,
        dated_orders.order_id,
        'visitor' as link_kind,
        greatest(dated_orders.order_date, {{ local_date('visitor_sightings.first_seen_at') }})
            as known_from_date
    from dated_orders
    inner join visitor_sightings on dated_orders.visitor_id = visitor_sightings.visitor_id
    inner join addresses on visitor_sightings.ip_address = addresses.ip_address
    union all
    select
        addresses.address_id,
        dated_orders.order_id,
        'customer' as link_kind,
        greatest(dated_orders.order_date, {{ local_date('customer_sightings.first_seen_at') }})
            as known_from_date
    from dated_orders
    inner join customer_sightings on dated_orders.customer_id = customer_sightings.customer_id
    inner join addresses on customer_sightings.ip_address = addresses.ip_address
),

nearest_links as (
    select
        address_id,
        order_id,
        min(known_from_date) as known_from_date,
        min(case when link_kind = 'address' then known_from_date end) as address_known_from_date
    from links
    group by address_id, order_id
),

linked as (
    select
        nearest_links.address_id,
        nearest_links.order_id,
        dated_orders.order_date,
        nearest_links.known_from_date,
        nearest_links.address_known_from_date,
        dated_orders.is_cancelled,
        dated_orders.total_amount
    from nearest_links
    inner join dated_orders on nearest_links.order_id = dated_orders.order_id
)

select * from linked
