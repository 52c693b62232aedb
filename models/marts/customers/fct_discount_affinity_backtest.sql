with

affinity as (
    select * from {{ ref('ftr_customers__discount_affinity') }}
),

lines as (
    select * from {{ ref('int_order_items__discounts') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

spans as (
    select
        as_of_date,
        lead(as_of_date) over (order by as_of_date) as next_as_of_date
    from as_of_dates
),

-- Each later line is asked about at the last date before it.
asked as (
    select
        affinity.discount_segment,
        case when lines.is_discounted then 1 else 0 end as discounted_line,
        lines.expected_discount_probability as availability,
        least(0.98e0, greatest(
            0.02e0, lines.expected_discount_probability * affinity.affinity_index
        )) as affinity,
        (affinity.discounted_line_count + 1e0) / (affinity.line_count + 2) as own_rate
    from spans
    inner join lines
        on lines.order_date >= spans.as_of_date
        and lines.order_date < spans.next_as_of_date
    inner join affinity
        on spans.as_of_date = affinity.as_of_date and lines.customer_id = affinity.customer_id
),

rules as (
    select 'affinity' as rule_name
    union all
    select 'availability' as rule_name
    union all
    select 'own_rate' as rule_name
),

predicted as (
    select
        rules.rule_name,
        asked.discount_segment,
        asked.discounted_line,
        asked.availability,
        case rules.rule_name
            when 'affinity' then asked.affinity
            when 'availability' then least(0.98e0, greatest(0.02e0, asked.availability))
            else asked.own_rate
        end as chance
    from asked
    cross join rules
),

by_segment as (
    select
        rule_name,
        discount_segment,
        discounted_line,
        availability,
        chance
    from predicted
    union all
    select
        rule_name,
        'all' as discount_segment,
        discounted_line,
        availability,
        chance
    from predicted
),

judged as (
    select
        rule_name,
        discount_segment,
        count(*) as line_count,
        cast(sum(discounted_line) as bigint) as discounted_line_count,
        cast(sum(availability) as double) as available_discount_count,
        cast(sum(chance) as double) as predicted_discount_count,
        cast(
            -avg(ln(case when discounted_line = 1 then chance else 1 - chance end)) as double
        ) as log_loss,
        cast(avg(power(discounted_line - chance, 2)) as double) as brier_score
    from by_segment
    group by rule_name, discount_segment
)

select * from judged
