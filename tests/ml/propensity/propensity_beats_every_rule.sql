-- The pair classifier is worth its cost only when no rule orders the pairs better or states better
-- probabilities; with few purchases chance decides.
with

metrics as (
    select * from {{ ref('ml_propensity__metrics') }}
    where bought_pair_count >= 100
),

model as (
    select * from metrics
    where scorer = 'model'
),

failures as (
    select
        metrics.scorer,
        metrics.log_loss,
        metrics.pr_auc,
        model.log_loss as model_log_loss,
        model.pr_auc as model_pr_auc
    from metrics
    cross join model
    where
        metrics.scorer <> 'model'
        and (metrics.log_loss <= model.log_loss or metrics.pr_auc >= model.pr_auc)
)

select * from failures
