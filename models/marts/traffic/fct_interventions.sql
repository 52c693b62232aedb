with

exposures as (
    select * from {{ ref('shop_experiment_exposures') }}
),

cut_sessions as (
    select * from {{ ref('int_sessions__cut') }}
),

judged_sessions as (
    select * from {{ ref('int_sessions__judged') }}
),

features as (
    select * from {{ ref('ftr_sessions__intent') }}
),

predictions as (
    select * from {{ ref('ml_intent__predictions') }}
),

outcomes as (
    select * from {{ ref('ml_intent__outcomes') }}
),

purchases as (
    select
        visitor_id,
        event_at,
        value_amount
    from {{ ref('shop_events') }}
    where event_name = 'purchase'
),

sessions as (
    select
        cut_sessions.session_id,
        cut_sessions.visitor_id,
        cut_sessions.session_started_at,
        cut_sessions.session_ended_at
    from cut_sessions
    inner join judged_sessions on cut_sessions.session_id = judged_sessions.session_id
    where not judged_sessions.is_bot
),

-- Whoever has no known chance of its variant gets the share the variant had.
counted as (
    select
        exposures.exposure_id,
        exposures.experiment_id,
        exposures.variant,
        exposures.visitor_id,
        exposures.exposed_at,
        exposures.propensity as known_propensity,
        count(*) over (partition by exposures.experiment_id, exposures.variant) as variant_count,
        count(*) over (partition by exposures.experiment_id) as experiment_count
    from exposures
    where exposures.visitor_id is not null
),

-- A page may report what it shows a moment before the first event, and on leaving after the last.
placed as (
    select
        counted.*,
        sessions.session_id,
        sessions.session_ended_at,
        row_number() over (
            partition by counted.exposure_id order by sessions.session_started_at desc
        ) as session_place
    from counted
    inner join sessions
        on counted.visitor_id = sessions.visitor_id
        and {{ seconds_between('counted.exposed_at', 'sessions.session_started_at') }} <= 60
        and {{ seconds_between('sessions.session_ended_at', 'counted.exposed_at') }}
        <= {{ var('martlet_session_timeout_minutes') }} * 60
),

-- The first time in a session counts; what was shown again was shown to the same person.
first_exposures as (
    select
        *,
        row_number() over (
            partition by experiment_id, session_id order by exposed_at, exposure_id
        ) as exposure_number
    from placed
    where session_place = 1
),

shown as (
    select * from first_exposures
    where exposure_number = 1
),

moments as (
    select
        shown.exposure_id,
        features.moment_kind,
        features.moment_number,
        predictions.buy_probability,
        predictions.decision,
        row_number() over (
            partition by shown.exposure_id
            order by features.moment_at desc, features.event_count desc, features.moment_kind
        ) as recency
    from shown
    inner join features on shown.session_id = features.session_id
    inner join predictions
        on features.session_id = predictions.session_id
        and features.moment_kind = predictions.moment_kind
        and features.moment_number = predictions.moment_number
    where features.moment_at <= shown.exposed_at
),

bought as (
    select
        shown.exposure_id,
        sum(purchases.value_amount) as revenue_amount
    from shown
    inner join purchases
        on shown.visitor_id = purchases.visitor_id
        and shown.exposed_at < purchases.event_at
        and shown.session_ended_at >= purchases.event_at
    group by shown.exposure_id
),

final as (
    select
        shown.exposure_id,
        shown.experiment_id,
        shown.variant,
        shown.variant <> 'control' as is_treated,
        shown.exposed_at,
        shown.visitor_id,
        shown.session_id,
        moments.moment_kind,
        moments.moment_number,
        moments.buy_probability,
        moments.decision,
        coalesce(
            shown.known_propensity,
            cast(shown.variant_count as double) / nullif(shown.experiment_count, 0)
        ) as propensity,
        shown.known_propensity is not null as is_propensity_known,
        case
            when outcomes.session_id is not null then bought.exposure_id is not null
        end as has_bought,
        case
            when outcomes.session_id is not null
                then cast(coalesce(bought.revenue_amount, 0) as decimal(18, 4))
        end as revenue_amount
    from shown
    left join moments on shown.exposure_id = moments.exposure_id and moments.recency = 1
    left join bought on shown.exposure_id = bought.exposure_id
    left join outcomes on shown.session_id = outcomes.session_id
)

select * from final
