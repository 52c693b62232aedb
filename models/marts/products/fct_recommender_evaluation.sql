with

recommendations as (
    select * from {{ ml_part(ref('ml_recommendations__fit'), 'evaluation') }}
),

recommendation_probabilities as (
    select * from {{ ml_part(ref('ml_recommendations__fit'), 'probability') }}
),

next_baskets as (
    select * from {{ ml_part(ref('ml_next_basket__fit'), 'evaluation') }}
),

next_basket_probabilities as (
    select * from {{ ml_part(ref('ml_next_basket__fit'), 'probability') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

evaluation as (
    select
        'recommendations' as recommendation_task,
        recommendations.model_version,
        recommendations.recommender,
        recommendations.target,
        recommendations.split,
        recommendations.is_shipped,
        recommendations.shipped_kind,
        recommendations.judged_since_at,
        recommendations.judged_user_count,
        recommendations.hit_rate_at_10,
        recommendations.ndcg_at_10,
        recommendations.ndcg_low,
        recommendations.ndcg_high,
        recommendations.recall_at_10,
        recommendations.mean_average_precision_at_10,
        recommendations.coverage,
        recommendations.gini,
        recommendations.novelty,
        recommendations.gain_over_popularity,
        recommendations.gain_over_popularity_low,
        recommendations.gain_over_popularity_high,
        recommendations.gain_over_personal_frequency,
        recommendations.gain_over_personal_frequency_low,
        recommendations.gain_over_personal_frequency_high,
        recommendations.recall_gain_over_popularity,
        recommendations.recall_gain_over_popularity_low,
        recommendations.recall_gain_over_popularity_high,
        recommendations.recall_gain_over_personal_frequency,
        recommendations.recall_gain_over_personal_frequency_low,
        recommendations.recall_gain_over_personal_frequency_high,
        recommendation_probabilities.calibration_error,
        recommendation_probabilities.brier_score,
        recommendation_probabilities.brier_score_of_the_share
    from recommendations
    left join recommendation_probabilities
        on recommendations.model_version = recommendation_probabilities.model_version
    union all
    select
        'next_basket' as recommendation_task,
        next_baskets.model_version,
        next_baskets.recommender,
        next_baskets.target,
        next_baskets.split,
        next_baskets.is_shipped,
        next_baskets.shipped_kind,
        next_baskets.judged_since_at,
        next_baskets.judged_user_count,
        next_baskets.hit_rate_at_10,
        next_baskets.ndcg_at_10,
        next_baskets.ndcg_low,
        next_baskets.ndcg_high,
        next_baskets.recall_at_10,
        next_baskets.mean_average_precision_at_10,
        next_baskets.coverage,
        next_baskets.gini,
        next_baskets.novelty,
        next_baskets.gain_over_popularity,
        next_baskets.gain_over_popularity_low,
        next_baskets.gain_over_popularity_high,
        next_baskets.gain_over_personal_frequency,
        next_baskets.gain_over_personal_frequency_low,
        next_baskets.gain_over_personal_frequency_high,
        next_baskets.recall_gain_over_popularity,
        next_baskets.recall_gain_over_popularity_low,
        next_baskets.recall_gain_over_popularity_high,
        next_baskets.recall_gain_over_personal_frequency,
        next_baskets.recall_gain_over_personal_frequency_low,
        next_baskets.recall_gain_over_personal_frequency_high,
        next_basket_probabilities.calibration_error,
        next_basket_probabilities.brier_score,
        next_basket_probabilities.brier_score_of_the_share
    from next_baskets
    left join next_basket_probabilities
        on next_baskets.model_version = next_basket_probabilities.model_version
),

described as (
    select
        evaluation.recommendation_task,
        evaluation.recommender,
        evaluation.target,
        evaluation.split,
        as_of_dates.as_of_date,
        evaluation.model_version,
        evaluation.is_shipped,
        case
            when not evaluation.is_shipped then 'not_shipped'
            when evaluation.shipped_kind = 'blend' then 'blend_beats_both_baselines'
            else 'baseline_ships'
        end as shipping_status,
        evaluation.shipped_kind,
        evaluation.judged_since_at,
        evaluation.judged_user_count as judged_customer_count,
        evaluation.hit_rate_at_10,
        evaluation.ndcg_at_10,
        evaluation.ndcg_low as ndcg_at_10_low,
        evaluation.ndcg_high as ndcg_at_10_high,
        evaluation.recall_at_10,
        evaluation.mean_average_precision_at_10,
        evaluation.coverage as product_coverage,
        evaluation.gini as product_gini,
        evaluation.novelty as novelty_bits,
        evaluation.gain_over_popularity as ndcg_gain_over_popularity,
        evaluation.gain_over_popularity_low as ndcg_gain_over_popularity_low,
        evaluation.gain_over_popularity_high as ndcg_gain_over_popularity_high,
        evaluation.gain_over_personal_frequency as ndcg_gain_over_personal_frequency,
        evaluation.gain_over_personal_frequency_low as ndcg_gain_over_personal_frequency_low,
        evaluation.gain_over_personal_frequency_high as ndcg_gain_over_personal_frequency_high,
        evaluation.recall_gain_over_popularity,
        evaluation.recall_gain_over_popularity_low,
        evaluation.recall_gain_over_popularity_high,
        evaluation.recall_gain_over_personal_frequency,
        evaluation.recall_gain_over_personal_frequency_low,
        evaluation.recall_gain_over_personal_frequency_high,
        -- Said of what is shipped, where it was judged: the others have no probabilities.
        case when evaluation.is_shipped
                and evaluation.split = 'judged'
                and evaluation.target = 'all'
                then evaluation.calibration_error
        end as probability_calibration_error,
        case when evaluation.is_shipped
                and evaluation.split = 'judged'
                and evaluation.target = 'all'
                then evaluation.brier_score
        end as probability_brier_score,
        case when evaluation.is_shipped
                and evaluation.split = 'judged'
                and evaluation.target = 'all'
                then evaluation.brier_score_of_the_share
        end as share_brier_score
    from evaluation
    cross join as_of_dates
    where as_of_dates.is_current
)

select * from described
