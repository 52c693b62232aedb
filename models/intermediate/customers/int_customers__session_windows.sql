with

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

all_sessions as (
    select * from {{ ref('int_sessions__described') }}
),

orders as (
    select * from {{ ref('int_orders__enriched') }}
),

-- A session is known only when its last day is over.
sessions as (
    select
        session_id,
        customer_id,
        {{ local_date('session_started_at') }} as started_date,
        {{ local_date('session_ended_at') }} as ended_date,
        cast({{ seconds_between('session_started_at', 'session_ended_at') }} as double)
            as session_seconds,
        cart_add_count > 0 as has_cart,
        purchase_count > 0 as has_purchase
    from all_sessions
    where customer_id is not null
),

recording as (
    select {{ local_date('min(session_started_at)') }} as recorded_from
    from all_sessions
),

-- A cart of one day may be bought on a later one, on another device or without any events.
later_orders as (
    select
        sessions.session_id,
        min(orders.order_date) as ordered_date
    from sessions
    inner join orders
        on sessions.customer_id = orders.customer_id
        and orders.order_date >= sessions.started_date
        and orders.order_date <= {{ date_add_days('sessions.ended_date', 7) }}
    where sessions.has_cart and not orders.is_test
    group by sessions.session_id
),

-- Half-open windows: the last 30 days, and the 90 days before them for the trend. Whether a cart
-- was left is judged with what was known: an order on the as-of date or later is the future.
recent as (
    select
        sessions.customer_id,
        as_of_dates.as_of_date,
        sessions.session_seconds,
        sessions.ended_date,
        sessions.ended_date >= {{ date_add_days('as_of_dates.as_of_date', -30) }}
            as is_last_30_days,
        recording.recorded_from <= {{ date_add_days('as_of_dates.as_of_date', -120) }}
            as is_trend_recorded,
        case when sessions.has_cart then 1 else 0 end as cart_count,
        case
            when not sessions.has_cart or sessions.has_purchase then 0
            when later_orders.ordered_date < as_of_dates.as_of_date then 0
            else 1
        end as abandoned_cart_count
    from sessions
    inner join as_of_dates
        on sessions.ended_date < as_of_dates.as_of_date
        and sessions.ended_date >= {{ date_add_days('as_of_dates.as_of_date', -120) }}
    -- Before that, no sessions means no records.
    inner join recording
        on recording.recorded_from <= {{ date_add_days('as_of_dates.as_of_date', -30) }}
    left join later_orders on sessions.session_id = later_orders.session_id
),

windows as (
    select
        customer_id,
        as_of_date,
        max(ended_date) as last_session_date,
        cast(sum(case when is_last_30_days then 1 else 0 end) as integer)
            as session_count_30_days,
        cast(sum(
            case when is_last_30_days then 0 when is_trend_recorded then 1 end
        ) as integer) as session_count_previous_90_days,
        median(case when is_last_30_days then session_seconds end)
            as median_session_seconds_30_days,
        median(case when is_trend_recorded and not is_last_30_days then session_seconds end)
            as median_session_seconds_previous_90_days,
        cast(sum(case when is_last_30_days then cart_count else 0 end) as integer)
            as cart_count_30_days,
        cast(sum(case when is_last_30_days then abandoned_cart_count else 0 end) as integer)
            as abandoned_cart_count_30_days,
        cast(sum(
            case when is_last_30_days then 0 when is_trend_recorded then cart_count end
        ) as integer) as cart_count_previous_90_days,
        cast(sum(
            case when is_last_30_days then 0 when is_trend_recorded then abandoned_cart_count end
        ) as integer) as abandoned_cart_count_previous_90_days
    from recent
    group by customer_id, as_of_date
)

select * from windows
