-- What is usual in this shop. An address is odd only against the people of the same shop: where
-- the log holds no images, nobody can be blamed for loading none.
with

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

activity as (
    select * from {{ ref('ftr_ip_addresses__activity') }}
),

orders as (
    select * from {{ ref('ftr_ip_addresses__orders') }}
),

neighbourhood as (
    select * from {{ ref('ftr_ip_addresses__neighbourhood') }}
),

shop_orders as (
    select * from {{ ref('shop_orders') }}
    where not is_test and not is_cancelled
),

candidates as (
    select
        activity.*,
        orders.order_count > 0 or activity.signed_in_count > 0 as is_customer
    from activity
    inner join orders
        on activity.address_id = orders.address_id and activity.as_of_date = orders.as_of_date
    inner join neighbourhood
        on activity.address_id = neighbourhood.address_id
        and activity.as_of_date = neighbourhood.as_of_date
    where
        activity.declared_automation_share < 0.5
        and neighbourhood.crawler_name is null
        and neighbourhood.address_kind in ('public', 'carrier')
),

customer_counts as (
    select
        as_of_date,
        sum(case when is_customer then 1 else 0 end) as customer_address_count
    from candidates
    group by as_of_date
),

-- Addresses of customers say what people do; a shop that knows too few of them goes by all
-- browsers.
people as (
    select candidates.*
    from candidates
    inner join customer_counts on candidates.as_of_date = customer_counts.as_of_date
    where candidates.is_customer or customer_counts.customer_address_count < 20
),

usual as (
    select
        as_of_date,
        count(*) as people_address_count,
        sum(case when event_count > 0 and request_count > 0 then 1 else 0 end)
        / cast(nullif(sum(case when request_count > 0 then 1 else 0 end), 0) as double)
            as scripted_share,
        avg(asset_share) as asset_share,
        sum(referrer_share * page_count) / cast(nullif(sum(page_count), 0) as double)
            as referrer_share,
        sum(case when visitor_count > 0 then 1 else 0 end) / cast(count(*) as double)
            as cookie_share,
        sum(night_share * active_half_hour_count)
        / cast(nullif(sum(active_half_hour_count), 0) as double) as night_share,
        sum(hit_count) / cast(nullif(sum(visit_count), 0) as double) as hits_per_visit
    from people
    group by as_of_date
),

-- Customers act more than others do, so this share is taken from everybody with a cookie.
acting as (
    select
        as_of_date,
        sum(acting_visitor_day_count) / cast(nullif(sum(visitor_day_count), 0) as double)
            as acting_share,
        sum(case when request_count > 0 then person_step_count else 0 end)
        / cast(nullif(sum(case when request_count > 0 then page_count else 0 end), 0) as double)
            as person_step_share
    from candidates
    group by as_of_date
),

site as (
    select
        as_of_date,
        min(first_active_date) as first_active_date,
        max(last_active_date) as last_active_date,
        sum(hit_count) as hit_count,
        sum(visit_count) as visit_count
    from activity
    group by as_of_date
),

order_values as (
    select
        as_of_dates.as_of_date,
        count(*) as order_count,
        avg(cast(shop_orders.total_amount as double)) as order_amount
    from as_of_dates
    inner join shop_orders
        on {{ local_date('shop_orders.ordered_at') }} < as_of_dates.as_of_date
        and {{ local_date('shop_orders.ordered_at') }}
        >= {{ date_add_days('as_of_dates.as_of_date', -180) }}
    group by as_of_dates.as_of_date
),

measured as (
    select
        as_of_dates.as_of_date,
        as_of_dates.is_current,
        site.first_active_date,
        site.last_active_date,
        cast(site.hit_count as bigint) as hit_count,
        cast(site.visit_count as bigint) as visit_count,
        coalesce(usual.people_address_count, 0) as people_address_count,
        usual.scripted_share,
        usual.asset_share,
        usual.referrer_share,
        usual.cookie_share,
        usual.night_share,
        usual.hits_per_visit,
        acting.acting_share,
        acting.person_step_share,
        coalesce(order_values.order_count, 0) as order_count,
        order_values.order_amount
    from as_of_dates
    inner join site on as_of_dates.as_of_date = site.as_of_date
    left join usual on as_of_dates.as_of_date = usual.as_of_date
    left join acting on as_of_dates.as_of_date = acting.as_of_date
    left join order_values on as_of_dates.as_of_date = order_values.as_of_date
)

select * from measured
