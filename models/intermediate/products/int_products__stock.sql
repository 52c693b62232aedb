with

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

stock_levels as (
    select * from {{ ref('shop_stock_levels') }}
),

-- In local time, because days of the shop are counted.
known_counts as (
    select
        stock_levels.product_id,
        stock_levels.on_hand_quantity,
        stock_levels.counted_at,
        {{ local_timestamp('stock_levels.counted_at') }} as counted_local_at,
        cast(as_of_dates.as_of_date as timestamp) as window_end_at,
        cast({{ date_add_days('as_of_dates.as_of_date', -365) }} as timestamp) as window_start_at
    from stock_levels
    inner join as_of_dates
        on {{ local_date('stock_levels.counted_at') }} < as_of_dates.as_of_date
        and as_of_dates.is_current
),

-- A count holds until the next one, the last count until the as-of date.
spells as (
    select
        product_id,
        on_hand_quantity,
        counted_at,
        counted_local_at,
        window_start_at,
        coalesce(lead(counted_local_at) over (
            partition by product_id order by counted_local_at, counted_at
        ), window_end_at) as ended_local_at,
        row_number() over (
            partition by product_id order by counted_local_at desc, counted_at desc
        ) as newest_first
    from known_counts
),

clipped as (
    select
        product_id,
        on_hand_quantity,
        counted_at,
        newest_first,
        case
            when ended_local_at <= window_start_at then 0
            else {{ seconds_between(
                'greatest(counted_local_at, window_start_at)', 'ended_local_at'
            ) }} / 86400.0
        end as spell_days
    from spells
),

stock as (
    select
        product_id,
        max(case when newest_first = 1 then on_hand_quantity end) as on_hand_quantity,
        max(counted_at) as last_counted_at,
        sum(cast(spell_days as double)) as stock_known_days,
        sum(
            cast(case when on_hand_quantity <= 0 then spell_days else 0 end as double)
        ) as out_of_stock_days
    from clipped
    group by product_id
)

select * from stock
