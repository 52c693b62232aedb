with

versions as (
    select * from {{ ref('ml_segments__fit') }}
),

scored as (
    select * from {{ ml_predict(ref('ml_segments__fit'), ref('ftr_customers__segmentation')) }}
),

predictions as (
    select
        scored.customer_id,
        scored.as_of_date,
        scored.is_current,
        scored.segment_id,
        scored.segment_name,
        scored.distance,
        scored.margin,
        scored.trained_as_of_date,
        versions.model_version,
        {{ build_timestamp() }} as predicted_at
    from scored
    inner join versions on versions.is_champion
)

select * from predictions
