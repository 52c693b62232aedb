-- What came after each as-of date: the judge of the list, never a feature.
with

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

activity as (
    select * from {{ ref('int_ip_addresses__activity_by_day') }}
),

features as (
    select * from {{ ref('ftr_ip_addresses__activity') }}
),

links as (
    select * from {{ ref('int_ip_addresses__orders') }}
),

last_days as (
    select max(activity_date) as last_activity_date from activity
),

folds as (
    select
        as_of_dates.as_of_date,
        {{ date_add_days('as_of_dates.as_of_date', var('martlet_looker_outcome_days')) }}
            as outcome_end_date
    from as_of_dates
    cross join last_days
    where
        last_days.last_activity_date
        >= {{ date_add_days('as_of_dates.as_of_date', var('martlet_looker_outcome_days') - 1) }}
),

hits as (
    select
        folds.as_of_date,
        activity.address_id,
        sum(activity.hit_count) as next_hit_count
    from folds
    inner join activity
        on activity.activity_date >= folds.as_of_date
        and activity.activity_date < folds.outcome_end_date
    group by folds.as_of_date, activity.address_id
),

-- An order is lost when it came from the address, or when its browser or customer had been seen
-- there by then.
orders as (
    select
        folds.as_of_date,
        links.address_id,
        count(*) as next_order_count,
        count(links.address_known_from_date) as next_order_at_address_count,
        sum(case when links.is_cancelled then 0 else links.total_amount end) as next_order_amount
    from folds
    inner join links
        on links.order_date >= folds.as_of_date
        and links.order_date < folds.outcome_end_date
        and links.known_from_date < folds.outcome_end_date
    group by folds.as_of_date, links.address_id
),

outcomes as (
    select
        features.address_id,
        features.as_of_date,
        cast(coalesce(hits.next_hit_count, 0) as bigint) as next_hit_count,
        cast(coalesce(orders.next_order_count, 0) as bigint) as next_order_count,
        cast(coalesce(orders.next_order_at_address_count, 0) as bigint)
            as next_order_at_address_count,
        coalesce(orders.next_order_amount, 0) as next_order_amount
    from features
    inner join folds on features.as_of_date = folds.as_of_date
    left join hits
        on features.address_id = hits.address_id and features.as_of_date = hits.as_of_date
    left join orders
        on features.address_id = orders.address_id and features.as_of_date = orders.as_of_date
)

select * from outcomes
