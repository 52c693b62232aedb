with

interventions as (
    select * from {{ ref('fct_interventions') }}
    where has_bought is not null and propensity > 0 and propensity <= 1
),

variants as (
    select distinct
        experiment_id,
        variant
    from interventions
    where is_treated
),

-- Each variant beside the control group; each weighs one over its chance to be there.
arms as (
    select
        variants.experiment_id,
        variants.variant,
        interventions.visitor_id,
        interventions.is_treated,
        1 / interventions.propensity as weight,
        case when interventions.has_bought then 1.0 else 0.0 end as bought,
        cast(interventions.revenue_amount as double) as revenue
    from variants
    inner join interventions
        on variants.experiment_id = interventions.experiment_id
        and (interventions.variant = variants.variant or not interventions.is_treated)
),

means as (
    select
        experiment_id,
        variant,
        is_treated,
        count(*) as session_count,
        sum(bought) as purchase_count,
        sum(weight) as weight,
        sum(weight * bought) / sum(weight) as conversion_rate,
        sum(weight * revenue) / sum(weight) as mean_revenue
    from arms
    group by experiment_id, variant, is_treated
),

-- How far each visitor pulls the difference: their sessions belong together.
pulls as (
    select
        arms.experiment_id,
        arms.variant,
        arms.visitor_id,
        sum(
            case when arms.is_treated then 1 else -1 end
            * arms.weight * (arms.bought - means.conversion_rate) / means.weight
        ) as conversion_pull,
        sum(
            case when arms.is_treated then 1 else -1 end
            * arms.weight * (arms.revenue - means.mean_revenue) / means.weight
        ) as revenue_pull,
        sum(
            case when arms.is_treated then 1 else -1 end
            * arms.weight * (arms.bought - means.conversion_rate) / means.weight
            / nullif(means.conversion_rate * (1 - means.conversion_rate), 0)
        ) as log_odds_pull
    from arms
    inner join means
        on arms.experiment_id = means.experiment_id
        and arms.variant = means.variant
        and arms.is_treated = means.is_treated
    group by arms.experiment_id, arms.variant, arms.visitor_id
),

spreads as (
    select
        experiment_id,
        variant,
        sqrt(sum(conversion_pull * conversion_pull)) as conversion_error,
        sqrt(sum(revenue_pull * revenue_pull)) as revenue_error,
        sqrt(sum(log_odds_pull * log_odds_pull)) as log_odds_error
    from pulls
    group by experiment_id, variant
),

compared as (
    select
        treated.experiment_id,
        treated.variant,
        treated.session_count as treated_session_count,
        control.session_count as control_session_count,
        cast(treated.purchase_count as bigint) as treated_purchase_count,
        cast(control.purchase_count as bigint) as control_purchase_count,
        treated.conversion_rate as treated_conversion_rate,
        control.conversion_rate as control_conversion_rate,
        treated.conversion_rate - control.conversion_rate as conversion_effect,
        treated.mean_revenue - control.mean_revenue as revenue_effect_amount,
        treated.conversion_rate * (1 - control.conversion_rate)
        / nullif(control.conversion_rate * (1 - treated.conversion_rate), 0) as odds_ratio,
        spreads.conversion_error,
        spreads.revenue_error,
        spreads.log_odds_error
    from means as treated
    inner join means as control
        on treated.experiment_id = control.experiment_id
        and treated.variant = control.variant
        and not control.is_treated
    inner join spreads
        on treated.experiment_id = spreads.experiment_id
        and treated.variant = spreads.variant
    where treated.is_treated
),

bounded as (
    select
        *,
        conversion_effect - 1.96 * conversion_error as conversion_effect_lower,
        conversion_effect + 1.96 * conversion_error as conversion_effect_upper,
        revenue_effect_amount - 1.96 * revenue_error as revenue_effect_lower_amount,
        revenue_effect_amount + 1.96 * revenue_error as revenue_effect_upper_amount,
        odds_ratio * exp(-1.96 * log_odds_error) as odds_ratio_lower,
        odds_ratio * exp(1.96 * log_odds_error) as odds_ratio_upper
    from compared
),

verdicts as (
    select
        *,
        case
            when treated_purchase_count < 10 or control_purchase_count < 10 then 'too_few'
            when conversion_effect_lower > 0 then 'gain'
            when conversion_effect_upper < 0 then 'loss'
            else 'no_gain_shown'
        end as verdict
    from bounded
),

final as (
    select
        experiment_id,
        variant,
        treated_session_count,
        control_session_count,
        treated_purchase_count,
        control_purchase_count,
        treated_conversion_rate,
        control_conversion_rate,
        conversion_effect,
        conversion_effect_lower,
        conversion_effect_upper,
        revenue_effect_amount,
        revenue_effect_lower_amount,
        revenue_effect_upper_amount,
        odds_ratio,
        odds_ratio_lower,
        odds_ratio_upper,
        verdict,
        concat(
            case verdict
                when 'too_few' then 'Too few purchases to say anything yet: '
                when 'gain' then 'It helps: '
                when 'loss' then 'It does harm: '
                else 'No gain is shown: '
            end,
            'of 100 visits ',
            cast(cast(100 * treated_conversion_rate as decimal(9, 2)) as {{ type_string() }}),
            ' bought with it and ',
            cast(cast(100 * control_conversion_rate as decimal(9, 2)) as {{ type_string() }}),
            ' without; the difference lies between ',
            cast(cast(100 * conversion_effect_lower as decimal(9, 2)) as {{ type_string() }}),
            ' and ',
            cast(cast(100 * conversion_effect_upper as decimal(9, 2)) as {{ type_string() }}),
            ' (95 %).'
        ) as finding
    from verdicts
)

select * from final
