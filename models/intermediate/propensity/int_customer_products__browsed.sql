with

all_events as (
    select * from {{ ref('shop_events') }}
),

cutoffs as (
    select * from {{ ref('int_as_of_dates__split_for_propensity') }}
),

recorded as (
    select {{ local_date('min(event_at)') }} as recorded_from
    from all_events
),

signed_in as (
    select
        visitor_id,
        customer_id,
        min({{ local_date('event_at') }}) as known_from
    from all_events
    where visitor_id is not null and customer_id is not null
    group by visitor_id, customer_id
),

-- A browser belongs to the customer who signed in there first, from that day on.
owners as (
    select
        visitor_id,
        customer_id,
        known_from
    from (
        select
            *,
            row_number() over (
                partition by visitor_id order by known_from, customer_id
            ) as owner_rank
        from signed_in
    ) as ranked
    where owner_rank = 1
),

events as (
    select
        all_events.event_name,
        all_events.product_id,
        all_events.customer_id as signed_in_customer_id,
        owners.customer_id as owner_id,
        owners.known_from,
        {{ local_date('all_events.event_at') }} as event_date
    from all_events
    left join owners on all_events.visitor_id = owners.visitor_id
    where
        all_events.product_id is not null
        and all_events.event_name in ('view_item', 'add_to_cart', 'add_to_wishlist')
),

-- Before the records go back far enough, no views mean no records.
recent as (
    select
        cutoffs.as_of_date,
        coalesce(events.signed_in_customer_id, events.owner_id) as customer_id,
        events.product_id,
        events.event_name,
        events.event_date
    from events
    inner join cutoffs
        on events.event_date < cutoffs.as_of_date
        and events.event_date >= {{ date_add_days('cutoffs.as_of_date', -30) }}
    inner join recorded
        on recorded.recorded_from <= {{ date_add_days('cutoffs.as_of_date', -30) }}
    where
        events.signed_in_customer_id is not null
        or events.known_from < cutoffs.as_of_date
),

browsed as (
    select
        as_of_date,
        customer_id,
        product_id,
        cast(count(case when event_name = 'view_item' then 1 end) as integer)
            as view_count_30_days,
        cast(count(case when event_name = 'add_to_cart' then 1 end) as integer)
            as cart_add_count_30_days,
        cast(count(case when event_name = 'add_to_wishlist' then 1 end) as integer)
            as wishlist_add_count_30_days,
        max(event_date) as last_browsed_date
    from recent
    group by as_of_date, customer_id, product_id
)

select * from browsed
