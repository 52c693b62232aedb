with

touches as (
    select
        path_id,
        touch_number,
        as_of_date,
        channel_group
    from {{ ref('int_marketing_paths__assembled') }}
    where is_converted
),

versions as (
    select model_version
    from {{ ref('ml_attribution__fit') }}
    where is_champion
),

shared as (
    select * from {{ ml_predict(ref('ml_attribution__fit'), 'touches') }}
),

predictions as (
    select
        shared.path_id,
        shared.touch_number,
        shared.as_of_date,
        shared.channel_group,
        shared.removal_effect,
        shared.markov_credit,
        versions.model_version,
        {{ build_timestamp() }} as predicted_at
    from shared
    cross join versions
)

select * from predictions
