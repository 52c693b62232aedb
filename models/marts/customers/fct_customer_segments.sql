with

predictions as (
    select * from {{ ref('ml_segments__predictions') }}
),

rfm as (
    select * from {{ ref('ftr_customers__rfm') }}
),

with_previous_segment as (
    select
        customer_id,
        as_of_date,
        is_current,
        segment_id,
        segment_name,
        distance,
        margin,
        trained_as_of_date,
        model_version,
        predicted_at,
        lag(segment_id) over (
            partition by customer_id order by as_of_date
        ) as previous_segment_id
    from predictions
),

segments as (
    select
        with_previous_segment.customer_id,
        with_previous_segment.as_of_date,
        with_previous_segment.is_current,
        with_previous_segment.segment_id,
        with_previous_segment.segment_name,
        with_previous_segment.distance,
        with_previous_segment.margin,
        with_previous_segment.previous_segment_id,
        -- A customer in the first snapshot of a life has not moved, but arrived.
        with_previous_segment.segment_id
        <> with_previous_segment.previous_segment_id as has_moved,
        rfm.rfm_segment,
        with_previous_segment.trained_as_of_date,
        with_previous_segment.model_version,
        with_previous_segment.predicted_at
    from with_previous_segment
    left join rfm
        on with_previous_segment.customer_id = rfm.customer_id
        and with_previous_segment.as_of_date = rfm.as_of_date
)

select * from segments
