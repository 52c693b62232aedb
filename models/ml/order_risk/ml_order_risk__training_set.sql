with

features as (
    select * from {{ ref('ftr_orders__risk') }}
),

payments as (
    select * from {{ ref('shop_payments') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
    where is_current
),

outcomes as (
    select
        order_id,
        min(charged_back_at) as charged_back_at
    from payments
    group by order_id
),

-- A bank takes its time: only orders old enough to have been disputed are known to be honest, and
-- the young ones that were disputed at once would make fraud look common. A dispute that came even
-- later is nobody's fraud here: it was not known when the model that is judged could have learned.
mature as (
    select
        features.*,
        coalesce(
            cast(outcomes.charged_back_at as date)
            <= {{ date_add_days('features.as_of_date', var('martlet_chargeback_days')) }},
            false
        ) as is_fraud,
        {{ days_between('features.as_of_date', 'as_of_dates.as_of_date') }} as age_days
    from features
    inner join as_of_dates
        on features.as_of_date
        < {{ date_add_days('as_of_dates.as_of_date', '-' ~ var('martlet_chargeback_days')) }}
    left join outcomes on features.order_id = outcomes.order_id
),

-- The latest half year judges. What teaches was known when it began: a whole delay lies between.
training_set as (
    select
        *,
        age_days <= {{ var('martlet_chargeback_days') }} + 180 as is_evaluation
    from mature
    where
        age_days <= {{ var('martlet_chargeback_days') }} + 180
        or age_days > 2 * {{ var('martlet_chargeback_days') }} + 180
)

select * from training_set
