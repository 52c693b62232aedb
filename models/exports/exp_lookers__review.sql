with

candidates as (
    select * from {{ ref('fct_looker_candidates') }}
),

review as (
    select
        address_id,
        network_prefix,
        action,
        reason,
        visit_count,
        hit_count,
        automation_probability,
        sign_count,
        order_rate_upper,
        expected_order_count,
        expected_margin_lost_amount,
        hits_saved_count,
        cost_saved_amount,
        net_value_amount,
        is_held_back,
        approved_action,
        approved_by,
        approved_at,
        first_active_date,
        last_active_date,
        expires_on_date,
        as_of_date,
        model_version
    from candidates
)

select * from review
