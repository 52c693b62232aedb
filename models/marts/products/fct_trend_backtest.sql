with

trends as (
    select * from {{ ref('int_products__trends') }}
),

-- Only what was known then ranks the products; only the four weeks after judge them.
known as (
    select
        *,
        q_value <= 0.1 as is_trending,
        row_number() over (
            partition by as_of_date order by p_value, shrunken_lift desc, product_id
        ) as shrunken_rank,
        row_number() over (
            partition by as_of_date
            order by
                coalesce(naive_growth, case when recent_order_count > 0 then 1e9 else 0 end) desc,
                product_id
        ) as naive_rank,
        sum(case when q_value <= 0.1 then 1 else 0 end) over (partition by as_of_date)
            as trending_count
    from trends
    where next_days > 0
),

rules as (
    select 'trending' as rule_name
    union all
    select 'naive_growth_same_count' as rule_name
    union all
    select 'shrunken_top_10' as rule_name
    union all
    select 'naive_growth_top_10' as rule_name
    union all
    select 'all_products' as rule_name
),

chosen as (
    select
        rules.rule_name,
        known.as_of_date,
        known.product_id,
        known.next_order_count,
        known.expected_next_order_count,
        known.next_order_count > known.expected_next_order_count as is_above_baseline
    from rules
    inner join known
        on
        case rules.rule_name
            when 'trending' then known.is_trending
            when 'naive_growth_same_count' then known.naive_rank <= known.trending_count
            when 'shrunken_top_10' then known.shrunken_rank <= 10
            when 'naive_growth_top_10' then known.naive_rank <= 10
            else true
        end
),

evaluated as (
    select
        rule_name,
        min(as_of_date) as first_as_of_date,
        max(as_of_date) as last_as_of_date,
        count(distinct as_of_date) as as_of_date_count,
        count(*) as product_count,
        sum(case when is_above_baseline then 1 else 0 end) as above_baseline_count,
        sum(next_order_count) as next_order_count,
        {{ exact_sum('expected_next_order_count') }} as expected_next_order_count
    from chosen
    group by rule_name
),

shares as (
    select
        rule_name,
        first_as_of_date,
        last_as_of_date,
        as_of_date_count,
        product_count,
        cast(above_baseline_count as double) / nullif(product_count, 0) as above_baseline_share,
        greatest(0, {{ wilson_bound('above_baseline_count', 'product_count', 'lower') }})
            as above_baseline_share_low,
        {{ wilson_bound('above_baseline_count', 'product_count', 'upper') }}
            as above_baseline_share_high,
        cast(next_order_count as bigint) as next_order_count,
        expected_next_order_count,
        next_order_count / nullif(expected_next_order_count, 0) as next_lift
    from evaluated
)

select * from shares
