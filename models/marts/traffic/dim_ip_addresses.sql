with

activity as (
    select * from {{ ref('ftr_ip_addresses__activity') }}
    where is_current
),

orders as (
    select * from {{ ref('ftr_ip_addresses__orders') }}
    where is_current
),

neighbourhood as (
    select * from {{ ref('ftr_ip_addresses__neighbourhood') }}
    where is_current
),

signs as (
    select * from {{ ref('ftr_ip_addresses__signs') }}
    where is_current
),

predictions as (
    select * from {{ ref('ml_lookers__predictions') }}
    where is_current
),

described as (
    select
        activity.address_id,
        activity.as_of_date,
        neighbourhood.network_prefix,
        neighbourhood.ip_version,
        neighbourhood.address_kind,
        neighbourhood.crawler_name as verified_crawler_name,
        case when signs.false_crawler_sign > 0 then activity.claimed_crawler_name end
            as falsely_claimed_crawler_name,
        neighbourhood.exempt_reason,
        activity.first_active_date,
        activity.last_active_date,
        activity.active_day_count,
        activity.hit_count,
        activity.request_count,
        activity.event_count,
        activity.visit_count,
        activity.visitor_count,
        activity.returning_visitor_count,
        activity.signed_in_visitor_count,
        activity.user_agent_count,
        activity.asset_share,
        activity.api_share,
        activity.product_share,
        activity.referrer_share,
        activity.error_share,
        activity.declared_automation_share,
        activity.robots_txt_count,
        activity.typical_gap_seconds,
        activity.gap_log_deviation,
        activity.night_share,
        orders.order_count as order_count_180_days,
        orders.order_at_address_count as order_at_address_count_180_days,
        orders.last_order_date,
        neighbourhood.neighbour_count,
        neighbourhood.neighbour_order_count,
        cast(signs.sign_count as integer) as sign_count,
        signs.shared_address_score,
        predictions.automation_probability,
        coalesce(predictions.action, 'allow') as action -- noqa: RF04
    from activity
    inner join orders on activity.address_id = orders.address_id
    inner join neighbourhood on activity.address_id = neighbourhood.address_id
    inner join signs on activity.address_id = signs.address_id
    left join predictions on activity.address_id = predictions.address_id
)

select * from described
