with

segments as (
    select * from {{ ref('fct_customer_segments') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

dates_in_order as (
    select
        as_of_date,
        lag(as_of_date) over (order by as_of_date) as previous_as_of_date
    from as_of_dates
),

-- NULL stands for not yet a customer. Nobody leaves: who has bought stays a customer.
moves as (
    select
        dates_in_order.previous_as_of_date,
        segments.as_of_date,
        segments.previous_segment_id as from_segment_id,
        segments.segment_id as to_segment_id,
        count(*) as customer_count
    from segments
    inner join dates_in_order on segments.as_of_date = dates_in_order.as_of_date
    where dates_in_order.previous_as_of_date is not null
    group by
        dates_in_order.previous_as_of_date,
        segments.as_of_date,
        segments.previous_segment_id,
        segments.segment_id
),

names as (
    select distinct
        segment_id,
        segment_name
    from segments
),

transitions as (
    select
        moves.previous_as_of_date,
        moves.as_of_date,
        coalesce(moves.from_segment_id, 0) as from_segment_id,
        coalesce(from_names.segment_name, 'not yet a customer') as from_segment_name,
        moves.to_segment_id,
        to_names.segment_name as to_segment_name,
        moves.customer_count,
        cast(moves.customer_count as double) / nullif(
            sum(moves.customer_count) over (
                partition by moves.as_of_date, moves.from_segment_id
            ), 0
        ) as share_of_from_segment
    from moves
    left join names as from_names on moves.from_segment_id = from_names.segment_id
    left join names as to_names on moves.to_segment_id = to_names.segment_id
)

select * from transitions
