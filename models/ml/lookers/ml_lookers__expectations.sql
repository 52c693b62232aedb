-- The score of each address beside what is known of it, and what that lets expect: all that a
-- decision needs.
with

training_set as (
    select * from {{ ref('ml_lookers__training_set') }}
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

signs as (
    select * from {{ ref('ftr_ip_addresses__signs') }}
),

traffic as (
    select * from {{ ref('int_traffic__measured_by_as_of_date') }}
),

scored as (
    select * from {{ ml_predict(ref('ml_lookers__fit'), 'training_set') }}
),

described as (
    select
        scored.address_id,
        scored.as_of_date,
        scored.is_current,
        scored.automation_probability,
        scored.person_order_rate,
        scored.order_rate_upper,
        scored.trial_count,
        scored.sign_count,
        {%- for sign in looker_signs() %}
            scored.{{ sign }},
        {%- endfor %}
        signs.shared_address_score,
        signs.network_visit_count,
        neighbourhood.network_prefix,
        neighbourhood.ip_version,
        neighbourhood.address_kind,
        neighbourhood.crawler_name,
        neighbourhood.crawler_kind,
        neighbourhood.exempt_reason,
        neighbourhood.neighbour_order_count,
        neighbourhood.neighbour_signed_in_count,
        activity.hit_count,
        activity.visit_count,
        activity.active_day_count,
        activity.first_active_date,
        activity.last_active_date,
        activity.signed_in_count,
        activity.is_single_path,
        activity.claimed_crawler_name,
        activity.unverifiable_crawler_name,
        orders.order_count,
        cast({{ days_between('activity.first_active_date', 'scored.as_of_date') }} as double)
            as age_days,
        cast({{ days_between('activity.last_active_date', 'scored.as_of_date') }} as double)
            as silent_days,
        -- The window may reach further back than the log does.
        cast({{ days_between('traffic.first_active_date', 'scored.as_of_date') }} as double)
            as known_days,
        traffic.order_amount * {{ var('martlet_order_margin_share') }} as order_margin_amount
    from scored
    inner join activity
        on scored.address_id = activity.address_id and scored.as_of_date = activity.as_of_date
    inner join orders
        on scored.address_id = orders.address_id and scored.as_of_date = orders.as_of_date
    inner join neighbourhood
        on scored.address_id = neighbourhood.address_id
        and scored.as_of_date = neighbourhood.as_of_date
    inner join signs
        on scored.address_id = signs.address_id and scored.as_of_date = signs.as_of_date
    inner join traffic on scored.as_of_date = traffic.as_of_date
),

expected as (
    select
        *,
        hit_count / least(known_days, {{ var('martlet_looker_window_days') }})
        * {{ var('martlet_looker_outcome_days') }} as expected_hit_count,
        (1 - automation_probability) * person_order_rate
        * trial_count / least(known_days, {{ var('martlet_looker_window_days') }})
        * {{ var('martlet_looker_outcome_days') }} as expected_order_count
    from described
),

valued as (
    select
        *,
        expected_order_count * order_margin_amount as expected_margin_lost_amount,
        expected_hit_count * {{ var('martlet_looker_cost_per_hit') }} as expected_cost_saved_amount
    from expected
)

select * from valued
