with

activity as (
    select * from {{ ref('ftr_ip_addresses__activity') }}
),

orders as (
    select * from {{ ref('ftr_ip_addresses__orders') }}
),

addresses as (
    select distinct
        address_id,
        network_prefix,
        ip_version,
        address_kind,
        crawler_name,
        crawler_kind,
        exempt_reason
    from {{ ref('int_ip_addresses__listed') }}
    where address_id is not null
),

placed as (
    select
        activity.address_id,
        activity.as_of_date,
        activity.is_current,
        addresses.network_prefix,
        addresses.ip_version,
        addresses.address_kind,
        addresses.crawler_name,
        addresses.crawler_kind,
        addresses.exempt_reason,
        activity.visit_count,
        activity.hit_count,
        activity.signed_in_count,
        activity.person_step_count,
        orders.order_count
    from activity
    inner join addresses on activity.address_id = addresses.address_id
    inner join orders
        on activity.address_id = orders.address_id
        and activity.as_of_date = orders.as_of_date
),

summed as (
    select
        *,
        count(*) over in_network as address_count,
        sum(visit_count) over in_network as all_visit_count,
        sum(hit_count) over in_network as all_hit_count,
        sum(signed_in_count) over in_network as all_signed_in_count,
        sum(person_step_count) over in_network as all_step_count,
        sum(order_count) over in_network as all_order_count
    from placed
    window in_network as (partition by network_prefix, as_of_date)
),

features as (
    select
        address_id,
        as_of_date,
        is_current,
        network_prefix,
        ip_version,
        address_kind,
        crawler_name,
        crawler_kind,
        exempt_reason,
        cast(address_count - 1 as bigint) as neighbour_count,
        cast(all_visit_count - visit_count as bigint) as neighbour_visit_count,
        cast(all_hit_count - hit_count as bigint) as neighbour_hit_count,
        cast(all_signed_in_count - signed_in_count as bigint) as neighbour_signed_in_count,
        cast(all_step_count - person_step_count as bigint) as neighbour_step_count,
        cast(all_order_count - order_count as bigint) as neighbour_order_count
    from summed
)

select * from features
