with

models as (
    select * from {{ ref('dim_ml_models') }}
),

versions as (
    select * from {{ ref('ml_monitoring__versions') }}
    where is_champion
),

feature_drift as (
    select * from {{ ref('ml_monitoring__feature_drift') }}
),

score_drift as (
    select * from {{ ref('ml_monitoring__score_drift') }}
),

performance as (
    select * from {{ ref('ml_monitoring__performance') }}
),

limits as (
    select * from {{ ref('ml_monitoring_checks') }}
),

-- What the index comes to by chance in 95 of 100 samples of these sizes, when nothing has changed:
-- it is nearly a chi-square over the sizes (Yurdakul 2018).
features as (
    select
        *,
        {{ chance_of_stability_index('training_value_count', 'value_count', 'bin_count') }}
            as chance_limit
    from feature_drift
),

-- The figure to be held against: at the fit where the model stores it, else over earlier dates.
compared_performance as (
    select
        performance.*,
        least(
            performance.positive_count, performance.row_count - performance.positive_count
        ) as event_count,
        coalesce(versions.roc_auc, avg(performance.roc_auc) over earlier) as reference_roc_auc,
        coalesce(versions.log_loss, avg(performance.log_loss) over earlier) as reference_log_loss,
        avg(performance.brier_score) over earlier as reference_brier_score
    from performance
    inner join versions on performance.model_name = versions.model_name
    window earlier as (
        partition by performance.model_name
        order by performance.as_of_date
        rows between unbounded preceding and 1 preceding
    )
),

checks as (
    select
        model_name,
        'population_stability' as check_kind,
        input as subject,
        as_of_date,
        population_stability_index as check_value,
        cast(null as double) as reference_value,
        cast(null as double) as baseline_value,
        population_stability_index as excess,
        chance_limit,
        false as is_surely_worse,
        value_count as row_count,
        cast(null as bigint) as event_count,
        concat(
            'population stability index ', {{ short_number('population_stability_index') }},
            ' against the training rows'
        ) as words
    from features
    union all
    select
        model_name,
        'feature_drift' as check_kind,
        input as subject,
        as_of_date,
        distance as check_value,
        cast(null as double) as reference_value,
        cast(null as double) as baseline_value,
        distance as excess,
        -- A divergence in bits is about the index over 8 ln 2; a share is off by chance as in the
        -- test of Kolmogorov.
        case
            when distance_metric = 'L_INFTY'
                then
                    1.36e0 * sqrt(
                        1 / nullif(cast(training_value_count as double), 0)
                        + 1 / nullif(cast(value_count as double), 0)
                    )
            else chance_limit / 5.545e0
        end as chance_limit,
        false as is_surely_worse,
        value_count as row_count,
        cast(null as bigint) as event_count,
        concat('distance ', {{ short_number('distance') }}, ' to the training rows') as words
    from features
    union all
    select
        model_name,
        'unseen_values' as check_kind,
        input as subject,
        as_of_date,
        unseen_share as check_value,
        cast(null as double) as reference_value,
        cast(null as double) as baseline_value,
        unseen_share as excess,
        cast(0 as double) as chance_limit,
        false as is_surely_worse,
        value_count as row_count,
        cast(null as bigint) as event_count,
        concat(
            {{ short_number('100 * unseen_share') }}, ' % of the values were not seen in training'
        ) as words
    from features
    where unseen_share is not null
    union all
    select
        model_name,
        'missing_values' as check_kind,
        input as subject,
        as_of_date,
        missing_share as check_value,
        training_missing_share as reference_value,
        cast(null as double) as baseline_value,
        missing_share - training_missing_share as excess,
        2 * sqrt(
            training_missing_share * (1 - training_missing_share)
            / nullif(cast(row_count as double), 0)
        ) as chance_limit,
        false as is_surely_worse,
        row_count,
        cast(null as bigint) as event_count,
        concat(
            {{ short_number('100 * missing_share') }}, ' % missing, ',
            {{ short_number('100 * training_missing_share') }}, ' % in training'
        ) as words
    from features
    where missing_share is not null
    union all
    select
        model_name,
        'score_drift' as check_kind,
        score as subject,
        as_of_date,
        population_stability_index as check_value,
        cast(null as double) as reference_value,
        cast(null as double) as baseline_value,
        population_stability_index as excess,
        {{ chance_of_stability_index('row_count', 'compared_with_row_count', 'bin_count') }}
            as chance_limit,
        false as is_surely_worse,
        least(row_count, compared_with_row_count) as row_count,
        cast(null as bigint) as event_count,
        case
            when compared_with_date is null then 'no predictions of a month before to compare with'
            else
                concat(
                    'population stability index ',
                    {{ short_number('population_stability_index') }},
                    ' against the predictions of ', cast(compared_with_date as {{ type_string() }})
                )
        end as words
    from score_drift
    union all
    select
        model_name,
        'quality_at_fit' as check_kind,
        metric as subject,
        as_of_date,
        metric_value as check_value,
        cast(null as double) as reference_value,
        baseline_value,
        case when is_lower_better then 1 else -1 end * (metric_value - baseline_value)
        / nullif(abs(baseline_value), 0) as excess,
        cast(null as double) as chance_limit,
        false as is_surely_worse,
        training_row_count as row_count,
        cast(null as bigint) as event_count,
        concat(
            {{ short_number('metric_value') }}, ' at the fit',
            case
                when baseline_value is null then '; there is no baseline to beat'
                else concat(', ', {{ short_number('baseline_value') }}, ' without a model')
            end
        ) as words
    from versions
    where metric_value is not null
    union all
    select
        model_name,
        'performance' as check_kind,
        'roc_auc' as subject,
        as_of_date,
        roc_auc as check_value,
        reference_roc_auc as reference_value,
        cast(0.5 as double) as baseline_value,
        reference_roc_auc - roc_auc - 2 * roc_auc_error as excess,
        cast(null as double) as chance_limit,
        coalesce(roc_auc + 2 * roc_auc_error < 0.5, false) as is_surely_worse,
        row_count,
        event_count,
        {{ performance_words('roc_auc', 'reference_roc_auc', '0.5') }} as words
    from compared_performance
    where roc_auc is not null
    union all
    {% for measure in ['log_loss', 'brier_score'] %}
        select
            model_name,
            'performance' as check_kind,
            '{{ measure }}' as subject,
            as_of_date,
            {{ measure }} as check_value,
            reference_{{ measure }} as reference_value,
            prior_{{ measure }} as baseline_value,
            ({{ measure }} - 2 * coalesce({{ measure }}_error, 0))
            / nullif(reference_{{ measure }}, 0) - 1 as excess,
            cast(null as double) as chance_limit,
            coalesce(
                {{ measure }} - prior_{{ measure }} > 2 * {{ measure }}_gain_error, false
            ) as is_surely_worse,
            row_count,
            event_count,
            {{ performance_words(measure, 'reference_' ~ measure, 'prior_' ~ measure) }} as words
        from compared_performance
        union all
    {% endfor %}
    select
        model_name,
        'calibration' as check_kind,
        'expected_calibration_error' as subject,
        as_of_date,
        calibration_error as check_value,
        cast(null as double) as reference_value,
        chance_calibration_error as baseline_value,
        calibration_error - chance_calibration_error as excess,
        cast(null as double) as chance_limit,
        false as is_surely_worse,
        row_count,
        event_count,
        concat(
            'probabilities are off by ', {{ short_number('calibration_error') }},
            ' on average over the bins; chance alone makes ',
            {{ short_number('chance_calibration_error') }}
        ) as words
    from compared_performance
    union all
    select
        model_name,
        'age' as check_kind,
        'days_since_fit' as subject,
        as_of_date,
        cast(age_days as double) as check_value,
        cast(null as double) as reference_value,
        cast(null as double) as baseline_value,
        cast(age_days as double) as excess,
        cast(null as double) as chance_limit,
        false as is_surely_worse,
        training_row_count as row_count,
        cast(null as bigint) as event_count,
        concat('fitted ', cast(age_days as {{ type_string() }}), ' days ago') as words
    from models
    union all
    select
        model_name,
        'training_rows' as check_kind,
        'training_rows' as subject,
        as_of_date,
        cast(training_row_count as double) as check_value,
        cast(null as double) as reference_value,
        cast(null as double) as baseline_value,
        cast(null as double) as excess,
        cast(null as double) as chance_limit,
        false as is_surely_worse,
        case when status = 'insufficient_data' then 0 else training_row_count end as row_count,
        cast(null as bigint) as event_count,
        coalesce(
            insufficient_data_reason,
            concat('learned from ', cast(training_row_count as {{ type_string() }}), ' rows')
        ) as words
    from models
    union all
    select
        model_name,
        'challenger' as check_kind,
        'challenger' as subject,
        as_of_date,
        case when is_challenger_waiting then 1.0e0 else 0.0e0 end as check_value,
        cast(null as double) as reference_value,
        cast(null as double) as baseline_value,
        case when is_challenger_waiting then 1.0e0 else 0.0e0 end as excess,
        cast(null as double) as chance_limit,
        false as is_surely_worse,
        training_row_count as row_count,
        cast(null as bigint) as event_count,
        case
            when is_challenger_waiting
                then
                    concat(
                        'version ', cast(latest_version as {{ type_string() }}),
                        ' is challenger, version ', cast(champion_version as {{ type_string() }}),
                        ' goes on'
                    )
            else 'no challenger waits'
        end as words
    from models
),

limited as (
    select
        checks.*,
        versions.model_version,
        limits.rule,
        limits.meaning,
        limits.fewest_rows,
        greatest(limits.watch_above, coalesce(checks.chance_limit, limits.watch_above))
            as watch_above,
        greatest(limits.alarm_above, coalesce(checks.chance_limit, limits.alarm_above))
            as alarm_above
    from checks
    inner join versions on checks.model_name = versions.model_name
    inner join limits
        on checks.check_kind = limits.check_kind
        and (limits.subject is null or checks.subject = limits.subject)
),

judged as (
    select
        *,
        case
            when row_count < fewest_rows or row_count is null then 'too_little_data'
            -- A few of the rarer outcome say nothing, however many rows there are.
            when event_count < 10 then 'too_little_data'
            when check_kind = 'score_drift' and excess is null then 'too_little_data'
            when is_surely_worse or excess > alarm_above then 'alarm'
            when excess > watch_above then 'watch'
            else 'ok'
        end as status
    from limited
),

worded as (
    select
        *,
        case
            when status in ('watch', 'alarm') then meaning
            when status = 'too_little_data' and check_kind = 'training_rows' then meaning
            when status = 'too_little_data' then 'Too little data to judge.'
            else ''
        end as verdict
    from judged
),

told as (
    select
        model_name,
        model_version,
        check_kind,
        subject,
        cast(as_of_date as date) as as_of_date,
        check_value,
        reference_value,
        baseline_value,
        excess,
        watch_above,
        alarm_above,
        cast(row_count as bigint) as row_count,
        rule,
        status,
        concat(
            subject, ': ', words, '.', case when verdict = '' then '' else ' ' end, verdict
        ) as sentence
    from worded
)

select * from told
