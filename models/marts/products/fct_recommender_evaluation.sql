with

evaluation as (
    select * from {{ ml_part(ref('ml_recommendations__fit'), 'evaluation') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

baselines as (
    select
        max(case when recommender = 'popularity' then ndcg_at_10 end) as popularity_ndcg,
        max(case when recommender = 'personal_frequency' then ndcg_at_10 end) as frequency_ndcg
    from evaluation
),

compared as (
    select
        evaluation.recommender,
        as_of_dates.as_of_date,
        evaluation.model_version,
        evaluation.is_shipped,
        evaluation.judged_since_at,
        evaluation.judged_user_count as judged_customer_count,
        evaluation.hit_rate_at_10,
        evaluation.ndcg_at_10,
        evaluation.recall_at_10,
        evaluation.mean_average_precision_at_10,
        evaluation.coverage as product_coverage,
        evaluation.ndcg_at_10 - baselines.popularity_ndcg as ndcg_gain_over_popularity,
        evaluation.ndcg_at_10 - baselines.frequency_ndcg as ndcg_gain_over_personal_frequency
    from evaluation
    cross join as_of_dates
    cross join baselines
    where as_of_dates.is_current
)

select * from compared
