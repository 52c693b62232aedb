{{ config(post_hook="{{ create_purchase_intent_function(this) }}") }}

with

features as (
    select * from {{ ref('ftr_sessions__intent') }}
),

predictions as (
    select * from {{ ref('ml_intent__predictions') }}
),

outcomes as (
    select * from {{ ref('ml_intent__outcomes') }}
),

joined as (
    select
        features.*,
        predictions.buy_probability,
        predictions.leave_probability,
        predictions.expected_order_amount,
        predictions.treated_buy_probability,
        predictions.uplift,
        predictions.value_now_amount,
        predictions.value_wait_amount,
        predictions.decision,
        outcomes.has_bought,
        predictions.model_version,
        predictions.predicted_at,
        row_number() over (
            partition by features.session_id, predictions.decision
            order by features.moment_at, features.event_count, features.moment_kind
        ) as decision_number
    from features
    inner join predictions
        on features.session_id = predictions.session_id
        and features.moment_kind = predictions.moment_kind
        and features.moment_number = predictions.moment_number
    left join outcomes on features.session_id = outcomes.session_id
),

final as (
    select
        session_id,
        moment_kind,
        moment_number,
        moment_at,
        as_of_date,
        visitor_id,
        event_count,
        product_view_count,
        distinct_product_count,
        seen_price_amount,
        cart_item_count,
        cart_amount,
        checkout_step,
        seconds_since_start,
        seconds_since_last_event,
        channel_group,
        device_category,
        is_known_customer,
        earlier_session_count,
        earlier_buying_session_count,
        buy_probability,
        leave_probability,
        expected_order_amount,
        treated_buy_probability,
        uplift,
        value_now_amount,
        value_wait_amount,
        decision,
        decision = 'intervene' and decision_number = 1 as is_moment_to_intervene,
        -- One visitor in ten, whoever it is, is left alone: without them no effect can be seen.
        substr({{ hash_text(['visitor_id', "'purchase_intent'"]) }}, 1, 4) < '199a' as is_holdout,
        has_bought,
        model_version,
        predicted_at
    from joined
)

select * from final
