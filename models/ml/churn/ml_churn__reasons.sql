with

features as (
    select
        *,
        cast(extract(month from as_of_date) as string) as as_of_month
    from {{ ref('ftr_customers__churn') }}
    where is_current and recency_days <= {{ var('martlet_churn_active_days') }}
),

phrases as (
    select * from {{ ref('churn_reasons') }}
),

explained as (
    select
        customer_id,
        as_of_date,
        top_feature_attributions
    from {{ ml_explain_predict(ref('ml_churn__fit'), 'features', top_k_features=3) }}
),

places as (
    select number from {{ number_series(1, 3) }}
),

attributions as (
    select
        explained.customer_id,
        explained.as_of_date,
        places.number as reason_rank,
        {{ list_element('explained.top_feature_attributions', 'places.number') }}.feature
            as feature,
        {{ list_element('explained.top_feature_attributions', 'places.number') }}.attribution
            as attribution
    from explained
    cross join places
),

reasons as (
    select
        attributions.customer_id,
        attributions.as_of_date,
        cast(attributions.reason_rank as integer) as reason_rank,
        attributions.feature,
        attributions.attribution,
        attributions.attribution > 0 as is_raising,
        case
            when attributions.attribution > 0
                then coalesce(phrases.raising_reason, concat('more risk: ', attributions.feature))
            else coalesce(phrases.lowering_reason, concat('less risk: ', attributions.feature))
        end as reason
    from attributions
    left join phrases on attributions.feature = phrases.feature
    where attributions.feature is not null and attributions.attribution <> 0
)

select * from reasons
