with

pairs as (
    select * from {{ ref('ftr_customer_products__propensity') }}
    where cutoff_role in ('test', 'current')
),

versions as (
    select model_version
    from {{ ref('ml_propensity__fit') }}
    where is_champion
),

cutoffs as (
    select * from {{ ref('int_as_of_dates__split_for_propensity') }}
),

shares as (
    select max(kept_share) as kept_share
    from {{ ref('ml_propensity__training_set') }}
),

predicted as (
    select * from {{ ml_predict(ref('ml_propensity__fit'), 'pairs') }}
),

scored as (
    select
        predicted.customer_id,
        predicted.product_id,
        predicted.as_of_date,
        cutoffs.label_until,
        predicted.cutoff_role = 'current' as is_current,
        predicted.cold_start_level,
        predicted.candidate_source,
        -- The first of two is the positive class.
        {{ list_element('predicted.predicted_is_bought_probs', 1) }}.prob as sampled_probability,
        versions.model_version,
        {{ build_timestamp() }} as predicted_at
    from predicted
    inner join cutoffs on predicted.as_of_date = cutoffs.as_of_date
    cross join versions
),

-- Only a share of the pairs that were not bought taught: each stands for one over that share, so
-- the odds are so much lower (King and Zeng 2001, "Logistic regression in rare events data",
-- section 4.1).
predictions as (
    select
        scored.customer_id,
        scored.product_id,
        scored.as_of_date,
        scored.label_until,
        scored.is_current,
        scored.cold_start_level,
        scored.candidate_source,
        scored.sampled_probability * shares.kept_share / (
            scored.sampled_probability * shares.kept_share + 1 - scored.sampled_probability
        ) as purchase_probability,
        scored.model_version,
        scored.predicted_at
    from scored
    cross join shares
)

select * from predictions
