with

activity as (
    select * from {{ ref('ftr_ip_addresses__activity') }}
),

neighbourhood as (
    select * from {{ ref('ftr_ip_addresses__neighbourhood') }}
),

traffic as (
    select * from {{ ref('int_traffic__measured_by_as_of_date') }}
),

compared as (
    select
        activity.*,
        neighbourhood.network_prefix,
        neighbourhood.address_kind,
        neighbourhood.crawler_name,
        neighbourhood.neighbour_count,
        neighbourhood.neighbour_order_count,
        neighbourhood.neighbour_signed_in_count,
        traffic.scripted_share as usual_scripted_share,
        traffic.asset_share as usual_asset_share,
        traffic.referrer_share as usual_referrer_share,
        traffic.cookie_share as usual_cookie_share,
        traffic.night_share as usual_night_share,
        traffic.acting_share as usual_acting_share,
        traffic.person_step_share as usual_person_step_share
    from activity
    inner join neighbourhood
        on activity.address_id = neighbourhood.address_id
        and activity.as_of_date = neighbourhood.as_of_date
    inner join traffic on activity.as_of_date = traffic.as_of_date
),

-- How far the night hours lie above the usual share, in standard deviations. Half hours follow
-- each other, so each counts as half a trial.
measured as (
    select
        *,
        (night_share - usual_night_share) * sqrt(
            active_half_hour_count / 2.0
            / nullif(usual_night_share * (1 - usual_night_share), 0)
        ) as night_deviations,
        -- How likely a person takes none of a person's steps in so many visits.
        power(1 - least(usual_acting_share, 0.99), visit_count) as no_step_probability
    from compared
),

own_signs as (
    select
        *,
        case
            when declared_automation_share >= 0.5 or no_user_agent_share >= 0.5 then 1.0
            else 0.0
        end as declared_sign,
        case
            when claimed_crawler_name is not null and crawler_name is null then 1.0 else 0.0
        end as false_crawler_sign,
        case
            when request_count >= 20 and event_count = 0 and usual_scripted_share >= 0.3 then 1.0
            else 0.0
        end as no_scripts_sign,
        case
            when
                page_count >= 20 and request_count >= 20 and usual_asset_share >= 0.1
                and asset_share < usual_asset_share / 10 then 1.0
            else 0.0
        end as no_assets_sign,
        -- Nobody comes eight times with a new browser each time.
        case
            when usual_cookie_share < 0.3 or returning_visitor_count > 0 then 0.0
            when visitor_count = 0 and hit_count >= 20 then 1.0
            when
                visit_count >= 8
                and visit_without_cookie_count + visitor_count >= 0.5 * visit_count
                then 1.0
            else 0.0
        end as no_cookies_sign,
        case when gap_count >= 30
                then least(greatest((0.9 - gap_log_deviation) / 0.4, 0.0), 1.0)
            else 0.0
        end as regular_pace_sign,
        case when gap_count >= 20
                then least(greatest((7.0 - typical_gap_seconds) / 4.0, 0.0), 1.0)
            else 0.0
        end as fast_pace_sign,
        case
            when night_share >= 0.1 and active_half_hour_count >= 10
                then least(greatest(coalesce(night_deviations, 0.0) - 1.0, 0.0) / 2.0, 1.0)
            else 0.0
        end as night_sign,
        case
            when person_step_count > 0 or usual_acting_share is null then 0.0
            else least(greatest(ln(1 / greatest(no_step_probability, 1e-9)) / ln(1000.0), 0.0), 1.0)
        end as no_person_steps_sign,
        case
            when page_count >= 20 and usual_referrer_share >= 0.1
                then least(greatest(1.0 - referrer_share / (usual_referrer_share / 4.0), 0.0), 1.0)
            else 0.0
        end as no_referrer_sign,
        case when robots_txt_count > 0 and signed_in_count = 0 then 1.0 else 0.0 end
            as robots_txt_sign,
        case
            when request_count >= 20 and api_share >= 0.9 and event_count = 0 then 1.0 else 0.0
        end as interface_sign,
        case
            when user_agent_count >= 5 and visitor_count = 0 and person_step_count = 0 then 1.0
            else 0.0
        end as many_user_agents_sign,
        -- Signs of people.
        case
            when returning_visitor_count > 0
                then least(returning_visitor_count / greatest(0.2e0 * visitor_count, 1e0), 1e0)
            else 0.0
        end as returning_visitors_sign,
        case
            when visitor_day_count > 0 and usual_acting_share > 0
                then least(acting_visitor_day_count / visitor_day_count / usual_acting_share, 1.0)
            when page_count > 0 and usual_person_step_share > 0
                then least(
                        person_step_count / cast(page_count as double) / usual_person_step_share,
                        1.0
                    )
            else 0.0
        end as person_steps_sign,
        -- Several people behind one address: a carrier, an office, a household.
        case
            when address_kind = 'carrier' then 1.0
            when signed_in_visitor_count >= 2 then 1.0
            when acting_visitor_count >= 2 and user_agent_count >= 2 then 1.0
            when returning_visitor_count >= 2 and user_agent_count >= 2 then 1.0
            when
                visitor_count = 0 and user_agent_count >= 3
                and person_step_count
                >= 0.3 * coalesce(usual_person_step_share, 0.0) * page_count
                and person_step_count > 0 then 0.7
            when acting_visitor_count >= 1 and returning_visitor_count >= 1 then 0.5
            else 0.0
        end as shared_address_score
    from measured
),

added as (
    select
        *,
        {% for sign in looker_signs() if sign != 'neighbours_sign' -%}
            case when {{ sign }} >= 0.5 then 1 else 0 end{{ ' +' if not loop.last }}
        {% endfor %} as own_sign_count
    from own_signs
),

-- A scraper spreads over the addresses of its network. Where a neighbour has bought or signed in,
-- nothing is concluded.
with_neighbours as (
    select
        *,
        sum(case when own_sign_count >= 3 then hit_count else 0 end) over in_network
            as odd_hit_count,
        sum(hit_count) over in_network as all_hit_count,
        sum(visit_count) over in_network as network_visit_count
    from added
    window in_network as (partition by network_prefix, as_of_date)
),

signs as (
    select
        address_id,
        as_of_date,
        is_current,
        {%- for sign in looker_signs() if sign != 'neighbours_sign' %}
            round(cast({{ sign }} as double), 6) as {{ sign }},
        {%- endfor %}
        round(cast(case
            when neighbour_count < 3 or neighbour_order_count > 0 or neighbour_signed_in_count > 0
                then 0
            else
                (odd_hit_count - case when own_sign_count >= 3 then hit_count else 0 end)
                / cast(nullif(all_hit_count - hit_count, 0) as double)
        end as double), 6) as neighbours_sign,
        round(cast(returning_visitors_sign as double), 6) as returning_visitors_sign,
        round(cast(person_steps_sign as double), 6) as person_steps_sign,
        cast(shared_address_score as double) as shared_address_score,
        cast(own_sign_count as bigint) as own_sign_count,
        cast(network_visit_count as bigint) as network_visit_count
    from with_neighbours
),

counted as (
    select
        *,
        own_sign_count + case when neighbours_sign >= 0.5 then 1 else 0 end as sign_count
    from signs
)

select * from counted
