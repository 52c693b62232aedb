with

activity as (
    select * from {{ ref('ftr_ip_addresses__activity') }}
),

links as (
    select * from {{ ref('int_ip_addresses__orders') }}
),

-- Half a year, not the window: one order in it is enough never to act on the address.
counted as (
    select
        activity.address_id,
        activity.as_of_date,
        count(*) as order_count,
        count(links.address_known_from_date) as order_at_address_count,
        sum(case
            when links.order_date >= {{ date_add_days(
                'activity.as_of_date', '-' ~ var('martlet_looker_window_days')
            ) }} then 1
            else 0
        end) as order_in_window_count,
        max(links.order_date) as last_order_date
    from activity
    inner join links
        on activity.address_id = links.address_id
        and links.known_from_date < activity.as_of_date
        and links.order_date >= {{ date_add_days('activity.as_of_date', -180) }}
    group by activity.address_id, activity.as_of_date
),

features as (
    select
        activity.address_id,
        activity.as_of_date,
        activity.is_current,
        cast(coalesce(counted.order_count, 0) as bigint) as order_count,
        cast(coalesce(counted.order_at_address_count, 0) as bigint) as order_at_address_count,
        cast(coalesce(counted.order_in_window_count, 0) as bigint) as order_in_window_count,
        counted.last_order_date
    from activity
    left join counted
        on activity.address_id = counted.address_id
        and activity.as_of_date = counted.as_of_date
)

select * from features
