with

predictions as (
    select * from {{ ref('ml_lookers__predictions') }}
),

activity as (
    select * from {{ ref('ftr_ip_addresses__activity') }}
),

orders as (
    select * from {{ ref('ftr_ip_addresses__orders') }}
),

signs as (
    select * from {{ ref('ftr_ip_addresses__signs') }}
),

approvals as (
    select * from {{ ref('looker_approvals') }}
),

candidates as (
    select
        predictions.address_id,
        predictions.as_of_date,
        predictions.network_prefix,
        predictions.ip_version,
        predictions.first_active_date,
        predictions.last_active_date,
        activity.visit_count,
        activity.hit_count,
        activity.visitor_count,
        activity.active_day_count,
        orders.order_count as order_count_180_days,
        predictions.order_rate_upper,
        {%- for sign in looker_signs() %}
            signs.{{ sign }} >= 0.5 as has_{{ sign }},
        {%- endfor %}
        cast(predictions.sign_count as integer) as sign_count,
        predictions.automation_probability,
        predictions.shared_address_score,
        predictions.crawler_name as verified_crawler_name,
        predictions.claimed_crawler_name,
        predictions.expected_order_count,
        cast(predictions.expected_margin_lost_amount as decimal(18, 4))
            as expected_margin_lost_amount,
        cast(predictions.expected_hit_count as double) as expected_hit_count,
        cast(predictions.hits_saved_count as double) as hits_saved_count,
        cast(predictions.expected_cost_saved_amount as decimal(18, 4)) as cost_saved_amount,
        cast(predictions.net_value_amount as decimal(18, 4)) as net_value_amount,
        predictions.action,
        predictions.guard,
        predictions.reason,
        {{ date_add_days('predictions.as_of_date', var('martlet_looker_expiry_days')) }}
            as expires_on_date,
        -- One of twenty is never acted on, so that a buyer among them can still be seen.
        mod({{ hex_number('right(predictions.address_id, 6)') }}, 20) = 0 as is_held_back,
        approvals.approved_action,
        approvals.approved_by,
        approvals.approved_at,
        approvals.expires_at as approval_expires_on_date,
        predictions.model_version,
        predictions.predicted_at
    from predictions
    inner join activity
        on predictions.address_id = activity.address_id
        and predictions.as_of_date = activity.as_of_date
    inner join orders
        on predictions.address_id = orders.address_id
        and predictions.as_of_date = orders.as_of_date
    inner join signs
        on predictions.address_id = signs.address_id
        and predictions.as_of_date = signs.as_of_date
    left join approvals on predictions.address_id = approvals.address_id
    where
        predictions.is_current
        -- People who merely look are nobody's candidates.
        and predictions.action <> 'allow'
)

select * from candidates
