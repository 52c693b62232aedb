with

scores as (
    select * from {{ ref('ml_monitoring__labelled_scores') }}
),

-- Log loss of a probability of exactly 0 or 1 would be infinite.
numbered as (
    select
        model_name,
        model_version,
        as_of_date,
        outcome_until,
        is_learned_from,
        probability,
        least(greatest(probability, 1e-6), 1 - 1e-6) as bounded,
        case when is_positive then 1.0e0 else 0.0e0 end as outcome,
        least(floor(probability * 10), 9) as bin
    from scores
),

counts as (
    select
        model_name,
        as_of_date,
        max(outcome_until) as outcome_until,
        count(*) as row_count,
        sum(outcome) as positive_count
    from numbered
    group by model_name, as_of_date
),

-- What needs no model: the share seen at the dates whose outcome was known on this one; before
-- there were any, the share of the date itself.
priors as (
    select
        counts.model_name,
        counts.as_of_date,
        least(greatest(
            coalesce(
                sum(earlier.positive_count) / nullif(sum(earlier.row_count), 0),
                max(counts.positive_count) / nullif(max(counts.row_count), 0)
            ), 1e-6
        ), 1 - 1e-6) as prior_rate
    from counts
    left join counts as earlier
        on counts.model_name = earlier.model_name
        and earlier.outcome_until <= counts.as_of_date
    group by counts.model_name, counts.as_of_date
),

losses as (
    select
        numbered.*,
        priors.prior_rate,
        -(
            numbered.outcome * ln(numbered.bounded)
            + (1 - numbered.outcome) * ln(1 - numbered.bounded)
        ) as log_loss,
        -(
            numbered.outcome * ln(priors.prior_rate)
            + (1 - numbered.outcome) * ln(1 - priors.prior_rate)
        ) as prior_log_loss,
        (numbered.probability - numbered.outcome) * (numbered.probability - numbered.outcome)
            as brier_score,
        (priors.prior_rate - numbered.outcome) * (priors.prior_rate - numbered.outcome)
            as prior_brier_score
    from numbered
    inner join priors
        on numbered.model_name = priors.model_name and numbered.as_of_date = priors.as_of_date
),

means as (
    select
        model_name,
        model_version,
        as_of_date,
        is_learned_from,
        count(*) as row_count,
        sum(outcome) as positive_count,
        avg(log_loss) as log_loss,
        avg(prior_log_loss) as prior_log_loss,
        stddev_samp(log_loss) / sqrt(count(*)) as log_loss_error,
        stddev_samp(log_loss - prior_log_loss) / sqrt(count(*)) as log_loss_gain_error,
        avg(brier_score) as brier_score,
        stddev_samp(brier_score) / sqrt(count(*)) as brier_score_error,
        avg(prior_brier_score) as prior_brier_score,
        stddev_samp(brier_score - prior_brier_score) / sqrt(count(*)) as brier_score_gain_error
    from losses
    group by model_name, model_version, as_of_date, is_learned_from
),

ranks as (
    select
        model_name,
        as_of_date,
        outcome,
        rank() over (partition by model_name, as_of_date order by probability)
        + (count(*) over (partition by model_name, as_of_date, probability) - 1) / 2.0e0
            as mean_rank
    from numbered
),

-- The area under the ROC curve is the Mann-Whitney statistic; ties count half.
rank_sums as (
    select
        model_name,
        as_of_date,
        sum(case when outcome = 1 then mean_rank else 0 end) as positive_rank_sum,
        sum(outcome) as positives,
        sum(1 - outcome) as negatives
    from ranks
    group by model_name, as_of_date
),

areas as (
    select
        *,
        (positive_rank_sum - positives * (positives + 1) / 2) / nullif(positives * negatives, 0)
            as roc_auc
    from rank_sums
),

-- Standard error by Hanley and McNeil (1982).
area_errors as (
    select
        model_name,
        as_of_date,
        roc_auc,
        sqrt(greatest(
            roc_auc * (1 - roc_auc)
            + (positives - 1) * (roc_auc / (2 - roc_auc) - roc_auc * roc_auc)
            + (negatives - 1) * (2 * roc_auc * roc_auc / (1 + roc_auc) - roc_auc * roc_auc),
            0
        ) / nullif(positives * negatives, 0)) as roc_auc_error
    from areas
),

bins as (
    select
        model_name,
        as_of_date,
        bin,
        count(*) as bin_row_count,
        avg(probability) as mean_probability,
        avg(outcome) as observed_rate
    from numbered
    group by model_name, as_of_date, bin
),

-- The distance that chance alone makes in a bin of n is sqrt(2 / pi * p * (1 - p) / n) on average.
calibrations as (
    select
        model_name,
        as_of_date,
        sum(bin_row_count * abs(mean_probability - observed_rate)) / sum(bin_row_count)
            as calibration_error,
        sum(bin_row_count * sqrt(
            0.6366197723675814e0 * greatest(mean_probability * (1 - mean_probability), 0)
            / bin_row_count
        )) / sum(bin_row_count) as chance_calibration_error
    from bins
    group by model_name, as_of_date
),

performance as (
    select
        means.model_name,
        means.model_version,
        means.as_of_date,
        means.is_learned_from,
        means.row_count,
        cast(means.positive_count as bigint) as positive_count,
        area_errors.roc_auc,
        area_errors.roc_auc_error,
        means.log_loss,
        means.log_loss_error,
        means.prior_log_loss,
        means.log_loss_gain_error,
        means.brier_score,
        means.brier_score_error,
        means.prior_brier_score,
        means.brier_score_gain_error,
        calibrations.calibration_error,
        calibrations.chance_calibration_error
    from means
    inner join area_errors
        on means.model_name = area_errors.model_name
        and means.as_of_date = area_errors.as_of_date
    inner join calibrations
        on means.model_name = calibrations.model_name
        and means.as_of_date = calibrations.as_of_date
)

select * from performance
