with

totals as (
    select * from {{ ref('int_customers__totals_by_as_of_date') }}
),

segments as (
    select * from {{ ref('rfm_segments') }}
),

-- Gross revenue, because a return would make a good customer of last week look like none; returns
-- and margin are told by the lifetime value.
measured as (
    select
        customer_id,
        as_of_date,
        is_current,
        cast({{ days_between('last_order_date', 'as_of_date') }} as integer) as recency_days,
        order_count as frequency,
        gross_revenue_amount as monetary_amount
    from totals
    where order_count > 0
),

scored as (
    select
        customer_id,
        as_of_date,
        is_current,
        recency_days,
        frequency,
        monetary_amount,
        {{ quantile_score(
            'recency_days', partition_by='as_of_date', tie_breaker='customer_id', best='lowest'
        ) }} as recency_score,
        {{ quantile_score(
            'frequency', partition_by='as_of_date', tie_breaker='customer_id'
        ) }} as frequency_score,
        {{ quantile_score(
            'monetary_amount', partition_by='as_of_date', tie_breaker='customer_id'
        ) }} as monetary_score,
        -- Customer numbers grow with time: told apart by them, half of all one-time buyers would be
        -- called frequent, the newest first. A segment treats equals as equals.
        {{ quantile_score(
            'recency_days', partition_by='as_of_date', best='lowest'
        ) }} as recency_band,
        {{ quantile_score('frequency', partition_by='as_of_date') }} as frequency_band
    from measured
),

named as (
    select
        scored.customer_id,
        scored.as_of_date,
        scored.is_current,
        scored.recency_days,
        scored.frequency,
        scored.monetary_amount,
        scored.recency_score,
        scored.frequency_score,
        scored.monetary_score,
        scored.recency_score * 100 + scored.frequency_score * 10 + scored.monetary_score
            as rfm_score,
        scored.recency_band,
        scored.frequency_band,
        segments.segment as rfm_segment
    from scored
    left join segments
        on scored.recency_band between segments.r_min and segments.r_max
        and scored.frequency_band between segments.f_min and segments.f_max
)

select * from named
