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
    from {{ ml_explain_predict(ref('ml_churn__fit'), 'features', top_k_features=1000) }}
),

elements as (
    select
        customer_id,
        as_of_date,
        {{ exploded_list('top_feature_attributions') }} as attributed
    from explained
),

attributions as (
    select
        customer_id,
        as_of_date,
        attributed.feature,
        attributed.attribution,
        max(abs(attributed.attribution)) over (partition by customer_id) as largest
    from elements
),

-- Who asks why a customer may leave is told that first, and only then what speaks against it. What
-- weighs less than a tenth of the heaviest is no reason.
ranked as (
    select
        *,
        row_number() over (
            partition by customer_id
            order by case when attribution > 0 then 0 else 1 end, abs(attribution) desc, feature
        ) as reason_rank
    from attributions
    where feature is not null and attribution <> 0 and abs(attribution) >= 0.1 * largest
),

reasons as (
    select
        ranked.customer_id,
        ranked.as_of_date,
        cast(ranked.reason_rank as integer) as reason_rank,
        ranked.feature,
        ranked.attribution,
        ranked.attribution > 0 as is_raising,
        case
            when ranked.attribution > 0
                then coalesce(phrases.raising_reason, concat('more risk: ', ranked.feature))
            else coalesce(phrases.lowering_reason, concat('less risk: ', ranked.feature))
        end as reason
    from ranked
    left join phrases on ranked.feature = phrases.feature
    where ranked.reason_rank <= 3
)

select * from reasons
