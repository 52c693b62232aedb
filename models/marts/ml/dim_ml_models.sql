with

versions as (
    select * from {{ ref('ml_monitoring__versions') }}
),

latest as (
    select
        model_name,
        max(model_version) as latest_version,
        count(*) as version_count
    from versions
    group by model_name
),

champions as (
    select * from versions
    where is_champion
),

described as (
    select
        champions.model_name,
        champions.title,
        champions.model_type,
        champions.as_of_date,
        champions.model_version as champion_version,
        champions.status,
        latest.latest_version,
        newest.status as latest_status,
        newest.status = 'challenger' and latest.latest_version > champions.model_version
            as is_challenger_waiting,
        latest.version_count,
        champions.trained_at,
        cast(
            {{ days_between('champions.trained_at', build_timestamp()) }} as integer
        ) as age_days,
        champions.training_row_count,
        champions.evaluation_row_count,
        champions.metric,
        champions.is_lower_better,
        champions.metric_value,
        champions.baseline_value,
        champions.is_better_than_baseline,
        champions.insufficient_data_reason
    from champions
    inner join latest on champions.model_name = latest.model_name
    inner join versions as newest
        on latest.model_name = newest.model_name
        and latest.latest_version = newest.model_version
)

select * from described
