with

features as (
    select * from {{ ref('ftr_visitors__first_day') }}
),

sessions as (
    select * from {{ ref('int_sessions__described') }}
),

observed as (
    select max(cast(session_started_at as date)) as last_date
    from sessions
),

purchases as (
    select
        visitor_id,
        session_started_at
    from sessions
    where purchase_count > 0
),

purchases_on_return as (
    select distinct features.visitor_id
    from features
    inner join purchases on features.visitor_id = purchases.visitor_id
    where
        purchases.session_started_at >= cast(features.as_of_date as timestamp)
        and purchases.session_started_at
        < cast({{ date_add_days('features.as_of_date', 30) }} as timestamp)
)

select
    features.*,
    purchases_on_return.visitor_id is not null as will_buy_on_return_visit
from features
cross join observed
left join purchases_on_return on features.visitor_id = purchases_on_return.visitor_id
-- The whole month after the first visit must have been seen.
where {{ date_add_days('features.as_of_date', 30) }} <= observed.last_date
