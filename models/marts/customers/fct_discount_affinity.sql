with

affinity as (
    select * from {{ ref('ftr_customers__discount_affinity') }}
),

current_affinity as (
    select
        customer_id,
        as_of_date,
        discount_segment,
        affinity_index,
        affinity_index_low,
        affinity_index_high,
        credibility,
        order_count,
        line_count,
        discounted_line_count,
        expected_discounted_line_count,
        cast(discounted_line_count as double) / nullif(line_count, 0) as discounted_line_share,
        expected_discounted_line_count / nullif(line_count, 0) as expected_discounted_line_share,
        mean_discount_rate
    from affinity
    where is_current
)

select * from current_affinity
