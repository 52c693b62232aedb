with

sessions as (
    select * from {{ ref('int_sessions__judged') }}
    where not is_bot and not is_quarantined
),

shop_orders as (
    select * from {{ ref('shop_orders') }}
),

enriched_orders as (
    select * from {{ ref('int_orders__enriched') }}
    where is_revenue_order
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

orders as (
    select
        enriched_orders.order_id,
        enriched_orders.customer_id,
        shop_orders.visitor_id,
        enriched_orders.ordered_at,
        lag(enriched_orders.ordered_at) over (
            partition by coalesce(enriched_orders.customer_id, enriched_orders.order_id)
            order by enriched_orders.ordered_at, enriched_orders.order_id
        ) as previous_ordered_at
    from enriched_orders
    inner join shop_orders on enriched_orders.order_id = shop_orders.order_id
    inner join as_of_dates
        on as_of_dates.is_current
        and enriched_orders.order_date < as_of_dates.as_of_date
),

-- A person's visits are those of the browser that ordered and those of the customer on any other.
candidates as (
    select
        orders.order_id,
        sessions.session_id
    from orders
    inner join sessions
        on orders.visitor_id = sessions.visitor_id
        and sessions.session_started_at <= orders.ordered_at
    union
    select
        orders.order_id,
        sessions.session_id
    from orders
    inner join sessions
        on orders.customer_id = sessions.customer_id
        and sessions.session_started_at <= orders.ordered_at
),

-- What led to the order before has had its share; the visit of the order itself always counts.
touches_of_orders as (
    select
        concat('order:', orders.order_id) as path_id,
        orders.order_id,
        orders.ordered_at as path_ended_at,
        sessions.*
    from candidates
    inner join orders on candidates.order_id = orders.order_id
    inner join sessions on candidates.session_id = sessions.session_id
    where
        {{ seconds_between('sessions.session_started_at', 'orders.ordered_at') }}
        <= {{ var('martlet_attribution_lookback_days') }} * 86400
        and (
            orders.previous_ordered_at is null
            or sessions.session_started_at > orders.previous_ordered_at
            or sessions.session_ended_at >= orders.ordered_at
        )
),

used_sessions as (
    select distinct session_id from touches_of_orders
),

sessions_without_order as (
    select
        sessions.*,
        coalesce(sessions.customer_id, sessions.visitor_id) as person_id
    from sessions
    inner join as_of_dates
        on as_of_dates.is_current
        and {{ local_date('sessions.session_started_at') }} < as_of_dates.as_of_date
    left join used_sessions on sessions.session_id = used_sessions.session_id
    where used_sessions.session_id is null
),

spaced as (
    select
        *,
        lag(session_started_at) over (
            partition by person_id order by session_started_at, session_id
        ) as previous_started_at
    from sessions_without_order
),

-- A pause of the whole lookback begins another path, as it would for an order.
marked as (
    select
        *,
        case
            when previous_started_at is null then 1
            when {{ seconds_between('previous_started_at', 'session_started_at') }}
                > {{ var('martlet_attribution_lookback_days') }} * 86400 then 1
            else 0
        end as starts_path
    from spaced
),

numbered as (
    select
        *,
        sum(starts_path) over (
            partition by person_id order by session_started_at, session_id
            rows between unbounded preceding and current row
        ) as path_number
    from marked
),

touches_without_order as (
    select
        concat('open:', first_value(session_id) over (
            partition by person_id, path_number order by session_started_at, session_id
        )) as path_id,
        max(session_started_at) over (partition by person_id, path_number) as path_ended_at,
        *
    from numbered
),

touches as (
    select
        path_id,
        order_id,
        path_ended_at,
        session_id,
        visitor_id,
        session_started_at,
        channel_group
    from touches_of_orders
    union all
    select
        path_id,
        cast(null as string) as order_id,
        path_ended_at,
        session_id,
        visitor_id,
        session_started_at,
        channel_group
    from touches_without_order
),

assembled as (
    select
        touches.path_id,
        as_of_dates.as_of_date,
        cast(row_number() over (
            partition by touches.path_id order by touches.session_started_at, touches.session_id
        ) as integer) as touch_number,
        cast(count(*) over (partition by touches.path_id) as integer) as touch_count,
        touches.session_id,
        touches.visitor_id,
        touches.session_started_at,
        touches.channel_group,
        touches.order_id,
        touches.order_id is not null as is_converted,
        touches.path_ended_at
    from touches
    inner join as_of_dates on as_of_dates.is_current
)

select * from assembled
