with

requests as (
    select * from {{ ref('shop_page_requests') }}
),

events as (
    select * from {{ ref('shop_events') }}
),

addresses as (
    select
        ip_address,
        address_kind,
        -- Written as IPv6, and read as the IPv4 address it is.
        coalesce(ip_address like '%:%:%' and network_key not like '%:%', false) as is_mapped
    from {{ ref('int_ip_addresses__listed') }}
),

told as (
    select
        'page_requests' as entity,
        requests.user_agent,
        addresses.address_kind,
        addresses.is_mapped,
        false as is_ahead
    from requests
    left join addresses on requests.ip_address = addresses.ip_address
    union all
    select
        'events' as entity,
        events.user_agent,
        addresses.address_kind,
        addresses.is_mapped,
        events.event_at > events.received_at as is_ahead
    from events
    left join addresses on events.ip_address = addresses.ip_address
),

entities as (
    select 'page_requests' as entity
    union all
    select 'events' as entity
),

counted as (
    select
        entities.entity,
        count(told.entity) as row_count,
        sum(case when coalesce(told.address_kind, 'malformed') = 'malformed' then 1 else 0 end)
        - sum(case when told.entity is null then 1 else 0 end) as malformed_count,
        sum(case when told.address_kind in ('private', 'reserved') then 1 else 0 end)
            as private_count,
        sum(case when told.is_mapped then 1 else 0 end) as mapped_count,
        sum(case when told.entity is not null and told.user_agent is null then 1 else 0 end)
            as without_user_agent_count,
        sum(case when length(told.user_agent) > 500 then 1 else 0 end) as long_user_agent_count,
        sum(case when told.is_ahead then 1 else 0 end) as ahead_count
    from entities
    left join told on entities.entity = told.entity
    group by entities.entity
),

checks as (
    select
        'addresses_missing_or_malformed' as check_name,
        entity,
        row_count as checked_count,
        cast(malformed_count as bigint) as affected_count
    from counted
    union all
    select
        'addresses_not_public' as check_name,
        entity,
        row_count as checked_count,
        cast(private_count as bigint) as affected_count
    from counted
    union all
    select
        'addresses_ipv4_in_ipv6' as check_name,
        entity,
        row_count as checked_count,
        cast(mapped_count as bigint) as affected_count
    from counted
    union all
    select
        'user_agents_missing' as check_name,
        entity,
        row_count as checked_count,
        cast(without_user_agent_count as bigint) as affected_count
    from counted
    union all
    select
        'user_agents_too_long' as check_name,
        entity,
        row_count as checked_count,
        cast(long_user_agent_count as bigint) as affected_count
    from counted
    union all
    select
        'events_ahead_of_their_receipt' as check_name,
        entity,
        row_count as checked_count,
        cast(ahead_count as bigint) as affected_count
    from counted
    where entity = 'events'
)

select * from checks
