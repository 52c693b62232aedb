with

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

gaps as (
    select * from {{ ref('int_customers__purchase_gaps') }}
),

candidates as (
    select 30 as horizon_days
    union
    select 60 as horizon_days
    union
    select 90 as horizon_days
    union
    select 120 as horizon_days
    union
    select 180 as horizon_days
    union
    select 365 as horizon_days
    union
    -- The one that is set, unless it is 0: then the rule decides.
    select coalesce(nullif({{ var('martlet_churn_horizon_days') }}, 0), 90) as horizon_days
),

span as (
    select
        min(case when not is_current then as_of_date end) as first_as_of_date,
        max(as_of_date) as last_as_of_date
    from as_of_dates
),

gaps_by_length as (
    select
        gap_days,
        count(*) as gap_count,
        sum(case when is_closed then 1 else 0 end) as closed_gap_count
    from gaps
    group by gap_days
),

-- Kaplan-Meier: of the gaps that lasted at least so long, the share that ended just then. Open gaps
-- count for as long as they were watched, so a young shop is not called a forgetful one.
with_gaps_at_risk as (
    select
        gap_days,
        closed_gap_count,
        sum(gap_count) over (
            order by gap_days desc rows between unbounded preceding and current row
        ) as gaps_at_risk
    from gaps_by_length
),

survival as (
    select
        gap_days,
        exp(sum(
            case
                when closed_gap_count = gaps_at_risk then -700
                else ln(1 - cast(closed_gap_count as double) / gaps_at_risk)
            end
        ) over (
            order by gap_days asc rows between unbounded preceding and current row
        )) as still_away_share
    from with_gaps_at_risk
),

within_horizons as (
    select
        candidates.horizon_days,
        1 - coalesce(min(
            case
                when survival.gap_days <= candidates.horizon_days
                    then survival.still_away_share
            end
        ), 1) as returned_share,
        1 - coalesce(min(
            case when survival.gap_days <= 365 then survival.still_away_share end
        ), 1) as returned_in_a_year_share,
        1 - coalesce(min(
            case
                when survival.gap_days <= 2 * candidates.horizon_days
                    then survival.still_away_share
            end
        ), 1) as returned_in_twice_share
    from candidates
    left join survival on survival.gap_days <= greatest(365, 2 * candidates.horizon_days)
    group by candidates.horizon_days
),

measured as (
    select
        within_horizons.horizon_days,
        within_horizons.returned_share,
        within_horizons.returned_share
        / nullif(within_horizons.returned_in_a_year_share, 0) as share_of_returns_in_a_year,
        (within_horizons.returned_in_twice_share - within_horizons.returned_share)
        / nullif(1 - within_horizons.returned_share, 0) as late_return_share,
        -- Train, choose and test each need a window of their own.
        coalesce(
            3 * within_horizons.horizon_days
            <= {{ days_between('span.first_as_of_date', 'span.last_as_of_date') }},
            false
        ) as has_enough_history
    from within_horizons
    cross join span
),

ranked as (
    select
        *,
        row_number() over (
            order by
                case
                    when horizon_days = {{ var('martlet_churn_horizon_days') }} then 0
                    when has_enough_history and share_of_returns_in_a_year >= 0.5 then 1
                    when has_enough_history then 2
                    else 3
                end,
                -- The shortest that holds half of the returns, else the longest that can be tested.
                case
                    when has_enough_history and coalesce(share_of_returns_in_a_year, 0) < 0.5
                        then -horizon_days
                    else horizon_days
                end
        ) as preference
    from measured
),

compared as (
    select
        cast(horizon_days as integer) as horizon_days,
        returned_share,
        share_of_returns_in_a_year,
        late_return_share,
        has_enough_history,
        preference = 1 as is_chosen,
        case
            when preference > 1 then null
            when horizon_days = {{ var('martlet_churn_horizon_days') }}
                then 'set by martlet_churn_horizon_days'
            when has_enough_history and share_of_returns_in_a_year >= 0.5
                then 'shortest that holds half of all returns within a year'
            when has_enough_history then 'longest that the history allows to be tested'
            else 'history too short for any: the shortest'
        end as chosen_because
    from ranked
)

select * from compared
