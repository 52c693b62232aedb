{% set experiments = var('martlet_intervention_experiments') %}

with

features as (
    select * from {{ ref('ftr_sessions__intent') }}
),

outcomes as (
    select * from {{ ref('ml_intent__outcomes') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
    where is_current
),

-- Sessions of the shop's own trial, where chance decided with a recorded probability.
trials as (
    select
        session_id,
        exposed_at,
        propensity,
        variant <> 'control' as is_treated,
        row_number() over (partition by session_id order by exposed_at, exposure_id) as trial_number
    from {{ ref('int_exposures__placed') }}
    where
        is_propensity_known
        and propensity > 0
        and propensity <= 1
        -- Without a named experiment nothing equals the empty name.
        and experiment_id in ('{{ experiments | join("', '") }}') -- noqa: LT05
),

-- The last moment before it was shown: what was known then.
drawn as (
    select
        trials.session_id,
        features.moment_kind,
        features.moment_number,
        row_number() over (
            partition by trials.session_id
            order by features.moment_at desc, features.event_count desc, features.moment_kind
        ) as recency
    from trials
    inner join features
        on trials.session_id = features.session_id
        and trials.exposed_at >= features.moment_at
    where trials.trial_number = 1
),

asked as (
    select
        outcomes.session_id,
        outcomes.visitor_id,
        outcomes.session_date
    from outcomes
    inner join features
        on outcomes.session_id = features.session_id
        and features.moment_kind = 'event' and features.moment_number = 1
),

-- The latest quarter of the sessions judges, by whole days.
dated as (
    select
        session_date,
        sum(count(*)) over (order by session_date desc) as sessions_since,
        sum(count(*)) over () as session_count
    from asked
    group by session_date
),

judging as (
    select min(session_date) as judges_from
    from dated
    where sessions_since <= 0.25 * session_count
),

-- A visitor on both sides keeps the one a hash says: the model would know them again.
sides as (
    select
        asked.visitor_id,
        min(case when asked.session_date >= judging.judges_from then 1 else 0 end)
            as least_side,
        max(case when asked.session_date >= judging.judges_from then 1 else 0 end)
            as highest_side
    from asked
    cross join judging
    group by asked.visitor_id
),

kept_sides as (
    select
        visitor_id,
        case
            when least_side = highest_side then highest_side
            when substr({{ hash_text(['visitor_id']) }}, 1, 1) < '8' then 0
            else 1
        end as side
    from sides
),

training_set as (
    select
        features.session_id,
        features.moment_kind,
        features.moment_number,
        features.as_of_date,
        features.visitor_id,
        features.event_count,
        features.page_view_count,
        features.product_view_count,
        features.list_view_count,
        features.search_count,
        features.wishlist_add_count,
        features.cart_add_count,
        features.cart_remove_count,
        features.cart_view_count,
        features.distinct_product_count,
        features.distinct_category_count,
        features.cart_item_count,
        features.checkout_step,
        features.seen_price_amount,
        features.cart_amount,
        features.seconds_since_start,
        features.seconds_since_last_event,
        features.last_gap_seconds,
        features.events_per_minute,
        features.last_event_name,
        features.channel_group,
        features.device_category,
        features.hour_of_day,
        features.is_known_customer,
        features.earlier_session_count,
        features.earlier_buying_session_count,
        features.last_session_funnel_step,
        features.days_since_session,
        features.days_since_purchase,
        outcomes.has_bought as will_buy,
        features.event_count = outcomes.session_event_count as will_leave,
        outcomes.order_amount,
        case when drawn.session_id is not null then trials.is_treated end as is_treated,
        trials.propensity,
        kept_sides.side = 1 as is_evaluation
    from features
    inner join outcomes on features.session_id = outcomes.session_id
    inner join kept_sides on features.visitor_id = kept_sides.visitor_id
    left join trials on features.session_id = trials.session_id and trials.trial_number = 1
    left join drawn
        on features.session_id = drawn.session_id
        and features.moment_kind = drawn.moment_kind
        and features.moment_number = drawn.moment_number
        and drawn.recency = 1
    cross join judging
    cross join as_of_dates
    where
        features.as_of_date < as_of_dates.as_of_date
        -- Where the shop stepped in, the other moments no longer tell what happens by itself.
        and (drawn.session_id is not null or not coalesce(trials.is_treated, false))
        and (kept_sides.side = 1) = (outcomes.session_date >= judging.judges_from)
)

select * from training_set
