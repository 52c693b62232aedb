{{ config(post_hook="{{ create_order_risk_function(this) }}") }}

with

orders as (
    select * from {{ ref('fct_orders') }}
),

features as (
    select * from {{ ref('ftr_orders__risk') }}
),

predictions as (
    select * from {{ ref('ml_order_risk__predictions') }}
),

payments as (
    select * from {{ ref('shop_payments') }}
),

outcomes as (
    select
        order_id,
        min(charged_back_at) as charged_back_at
    from payments
    group by order_id
),

weighed as (
    select
        orders.order_id,
        orders.customer_id,
        orders.ordered_at,
        orders.order_date,
        orders.total_amount,
        features.minutes_since_sign_up,
        features.is_delivered_abroad,
        features.is_new_device,
        features.device_order_count_1_day,
        features.device_person_count,
        features.address_order_count_1_day,
        features.address_person_count,
        features.card_order_count_1_day,
        features.card_person_count,
        features.email_order_count_1_day,
        features.customer_amount_z_score,
        predictions.fraud_probability,
        {{ order_risk_costs(
            'predictions.fraud_probability', 'cast(orders.total_amount as double)'
        ) }},
        predictions.reasons,
        outcomes.charged_back_at,
        coalesce(
            outcomes.charged_back_at,
            {{ timestamp_from_microseconds(
                epoch_microseconds('orders.ordered_at')
                ~ ' + ' ~ var('martlet_chargeback_days') ~ ' * 86400000000'
            ) }}
        ) as label_available_at,
        predictions.model_version,
        predictions.predicted_at
    from orders
    inner join features on orders.order_id = features.order_id
    inner join predictions on orders.order_id = predictions.order_id
    left join outcomes on orders.order_id = outcomes.order_id
),

final as (
    select
        order_id,
        customer_id,
        ordered_at,
        order_date,
        total_amount,
        minutes_since_sign_up,
        is_delivered_abroad,
        is_new_device,
        device_order_count_1_day,
        device_person_count,
        address_order_count_1_day,
        address_person_count,
        card_order_count_1_day,
        card_person_count,
        email_order_count_1_day,
        customer_amount_z_score,
        fraud_probability,
        cast(round(approve_cost_amount, 4) as decimal(18, 4)) as expected_loss_amount,
        {{ order_risk_decision() }} as decision,
        {{ list_element('reasons', 1) }} as reason_1,
        {{ list_element('reasons', 2) }} as reason_2,
        {{ list_element('reasons', 3) }} as reason_3,
        charged_back_at is not null as is_charged_back,
        label_available_at,
        model_version,
        predicted_at
    from weighed
)

select * from final
