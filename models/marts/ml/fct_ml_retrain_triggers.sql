with

models as (
    select * from {{ ref('dim_ml_models') }}
),

checks as (
    select * from {{ ref('fct_ml_monitoring') }}
),

limits as (
    select * from {{ ref('ml_monitoring_checks') }}
),

rules as (
    select
        rule,
        max(triggering_share) as triggering_share,
        max(triggers_at) as triggers_at,
        max(advice) as advice
    from limits
    group by rule
),

-- The newest answer to each question.
newest as (
    select
        *,
        row_number() over (
            partition by model_name, check_kind, subject order by as_of_date desc
        ) as newness
    from checks
),

-- One subject may be looked at in several ways; the worst counts.
subjects as (
    select
        newest.model_name,
        newest.rule,
        newest.subject,
        max(
            case
                when newest.status = rules.triggers_at or newest.status = 'alarm' then 1 else 0
            end
        ) as is_found,
        max(case when newest.status = 'watch' then 1 else 0 end) as is_watched,
        max(
            case
                when newest.status = rules.triggers_at or newest.status = 'alarm'
                    then newest.excess / nullif(newest.alarm_above, 0)
            end
        ) as weight,
        max(
            case
                when newest.status = rules.triggers_at or newest.status = 'alarm'
                    then newest.sentence
            end
        ) as sentence
    from newest
    inner join rules on newest.rule = rules.rule
    where newest.newness = 1
    group by newest.model_name, newest.rule, newest.subject
),

ranked as (
    select
        *,
        row_number() over (
            partition by model_name, rule
            order by is_found desc, coalesce(weight, 0) desc, subject
        ) as place
    from subjects
),

counted as (
    select
        model_name,
        rule,
        count(*) as subject_count,
        sum(is_found) as found_count,
        sum(is_watched) as watched_count,
        {{ ordered_text('case when is_found = 1 and place <= 3 then sentence end', 'place', ' ') }}
            as sentences
    from ranked
    group by model_name, rule
),

triggers as (
    select
        models.model_name,
        rules.rule,
        models.champion_version as model_version,
        models.as_of_date,
        coalesce(
            counted.found_count > rules.triggering_share * counted.subject_count
            or (rules.triggering_share > 0 and counted.found_count = counted.subject_count),
            false
        ) and coalesce(counted.found_count, 0) > 0 as is_triggered,
        cast(coalesce(counted.subject_count, 0) as bigint) as subject_count,
        cast(coalesce(counted.found_count, 0) as bigint) as found_count,
        counted.sentences,
        rules.advice
    from models
    cross join rules
    left join counted
        on models.model_name = counted.model_name
        and rules.rule = counted.rule
),

counted_words as (
    select
        *,
        concat(
            cast(subject_count as {{ type_string() }}),
            case when subject_count = 1 then ' check' else ' checks' end
        ) as subject_words
    from triggers
),

told as (
    select
        model_name,
        rule,
        model_version,
        as_of_date,
        is_triggered,
        subject_count,
        found_count,
        case
            when subject_count = 0 then 'Nothing to measure it by.'
            when found_count = 0 then concat('Nothing found in ', subject_words, '.')
            else
                concat(
                    cast(found_count as {{ type_string() }}), ' of ', subject_words, ': ', sentences
                )
        end as evidence,
        case
            when is_triggered then replace(advice, '{model}', model_name)
            when found_count > 0 then 'Look at the inputs named; too few of them moved to refit.'
            else 'Nothing to do.'
        end as action -- noqa: RF04
    from counted_words
)

select * from told
