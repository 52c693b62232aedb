with

shown as (
    select * from {{ ref('int_exposures__placed') }}
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
        shown.propensity,
        shown.is_propensity_known,
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
