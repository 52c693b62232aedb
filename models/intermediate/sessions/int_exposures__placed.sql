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

final as (
    select
        exposure_id,
        experiment_id,
        variant,
        visitor_id,
        exposed_at,
        session_id,
        session_ended_at,
        coalesce(
            known_propensity, cast(variant_count as double) / nullif(experiment_count, 0)
        ) as propensity,
        known_propensity is not null as is_propensity_known
    from first_exposures
    where exposure_number = 1
)

select * from final
