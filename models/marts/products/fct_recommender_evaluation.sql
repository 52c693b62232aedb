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

-- Of the probabilities of what is shipped, where it was judged: the others have none.
evaluation as (
    {% for task, evaluated, probabilities in [
        ('recommendations', 'recommendations', 'recommendation_probabilities'),
        ('next_basket', 'next_baskets', 'next_basket_probabilities'),
    ] %}
        select
            '{{ task }}' as recommendation_task,
            {{ evaluated }}.model_version,
            {{ evaluated }}.recommender,
            {{ evaluated }}.target,
            {{ evaluated }}.split,
            {{ evaluated }}.is_shipped,
            {{ evaluated }}.shipped_kind,
            {{ evaluated }}.judged_since_at,
            {{ evaluated }}.judged_user_count,
            {{ evaluated }}.hit_rate_at_10,
            {{ evaluated }}.ndcg_at_10,
            {{ evaluated }}.ndcg_low,
            {{ evaluated }}.ndcg_high,
            {{ evaluated }}.recall_at_10,
            {{ evaluated }}.mean_average_precision_at_10,
            {{ evaluated }}.coverage,
            {{ evaluated }}.gini,
            {{ evaluated }}.novelty,
            {% for gain in ['gain', 'recall_gain'] %}
                {% for baseline in ['popularity', 'personal_frequency'] %}
                    {% for bound in ['', '_low', '_high'] %}
                        {{ evaluated }}.{{ gain }}_over_{{ baseline }}{{ bound }},
                    {% endfor %}
                {% endfor %}
            {% endfor %}
            {{ probabilities }}.calibration_error,
            {{ probabilities }}.brier_score,
            {{ probabilities }}.brier_score_of_the_share
        from {{ evaluated }}
        left join {{ probabilities }}
            on
            {{ evaluated }}.model_version = {{ probabilities }}.model_version
            and {{ evaluated }}.is_shipped
            and {{ evaluated }}.split = 'judged'
            and {{ evaluated }}.target = 'all'
        {{ 'union all' if not loop.last }}
    {% endfor %}
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
        evaluation.calibration_error as probability_calibration_error,
        evaluation.brier_score as probability_brier_score,
        evaluation.brier_score_of_the_share as share_brier_score
    from evaluation
    cross join as_of_dates
    where as_of_dates.is_current
)

select * from described
