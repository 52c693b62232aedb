with

segments as (
    select * from {{ ref('fct_customer_segments') }}
),

features as (
    select * from {{ ref('ftr_customers__segmentation') }}
),

members as (
    select
        segments.as_of_date,
        segments.is_current,
        segments.segment_id,
        segments.segment_name,
        segments.distance,
        segments.margin,
        segments.rfm_segment,
        segments.model_version,
        features.recency_days,
        features.frequency,
        features.monetary_amount,
        features.items_per_order,
        features.return_rate,
        features.average_order_amount
    from segments
    inner join features
        on segments.customer_id = features.customer_id
        and segments.as_of_date = features.as_of_date
),

profiles as (
    select
        as_of_date,
        is_current,
        segment_id,
        segment_name,
        model_version,
        count(*) as customer_count,
        avg(recency_days) as mean_recency_days,
        median(recency_days) as median_recency_days,
        avg(frequency) as mean_frequency,
        median(frequency) as median_frequency,
        avg(monetary_amount) as mean_monetary_amount,
        median(monetary_amount) as median_monetary_amount,
        sum(monetary_amount) as revenue_amount,
        avg(average_order_amount) as mean_order_amount,
        avg(items_per_order) as mean_items_per_order,
        avg(return_rate) as mean_return_rate,
        avg(distance) as mean_distance,
        avg(margin) as mean_margin
    from members
    group by as_of_date, is_current, segment_id, segment_name, model_version
),

rfm_counts as (
    select
        as_of_date,
        segment_id,
        rfm_segment,
        count(*) as customer_count
    from members
    where rfm_segment is not null
    group by as_of_date, segment_id, rfm_segment
),

ranked_rfm as (
    select
        as_of_date,
        segment_id,
        rfm_segment,
        customer_count,
        row_number() over (
            partition by as_of_date, segment_id order by customer_count desc, rfm_segment
        ) as place
    from rfm_counts
),

with_shares as (
    select
        profiles.*,
        cast(profiles.customer_count as double)
        / nullif(sum(profiles.customer_count) over (partition by profiles.as_of_date), 0)
            as customer_share,
        profiles.revenue_amount
        / nullif(sum(profiles.revenue_amount) over (partition by profiles.as_of_date), 0)
            as revenue_share,
        ranked_rfm.rfm_segment as commonest_rfm_segment,
        cast(ranked_rfm.customer_count as double)
        / nullif(profiles.customer_count, 0) as commonest_rfm_segment_share
    from profiles
    left join ranked_rfm
        on profiles.as_of_date = ranked_rfm.as_of_date
        and profiles.segment_id = ranked_rfm.segment_id
        and ranked_rfm.place = 1
),

described as (
    select
        as_of_date,
        is_current,
        segment_id,
        segment_name,
        customer_count,
        customer_share,
        mean_recency_days,
        median_recency_days,
        mean_frequency,
        median_frequency,
        mean_monetary_amount,
        median_monetary_amount,
        cast(revenue_amount as decimal(18, 4)) as revenue_amount,
        revenue_share,
        mean_order_amount,
        mean_items_per_order,
        mean_return_rate,
        mean_distance,
        mean_margin,
        commonest_rfm_segment,
        commonest_rfm_segment_share,
        model_version
    from with_shares
)

select * from described
