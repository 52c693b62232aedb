-- Each of the 25 pairs of bands belongs to exactly one segment.
with

segments as (
    select * from {{ ref('rfm_segments') }}
),

bands as (
    select number from {{ number_series(1, 5) }}
),

cells as (
    select
        recency.number as recency_band,
        frequency.number as frequency_band
    from bands as recency
    cross join bands as frequency
),

covered as (
    select
        cells.recency_band,
        cells.frequency_band,
        count(segments.segment) as segment_count
    from cells
    left join segments
        on cells.recency_band between segments.r_min and segments.r_max
        and cells.frequency_band between segments.f_min and segments.f_max
    group by cells.recency_band, cells.frequency_band
)

select * from covered
where segment_count <> 1
