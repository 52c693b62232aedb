with

lines as (
    select * from {{ ref('int_baskets__lines') }}
),

purchases as (
    select
        customer_id,
        customer_order_number,
        basket_date,
        product_id,
        as_of_date
    from lines
    where customer_id is not null and basket_size <= {{ var('martlet_basket_max_items') }}
),

customers as (
    select
        count(distinct customer_id) as customer_count,
        max(as_of_date) as as_of_date
    from purchases
),

first_steps as (
    select
        customer_id,
        product_id as first_product_id,
        min(customer_order_number) as order_number,
        min(basket_date) as basket_date
    from purchases
    group by customer_id, product_id
),

single_patterns as (
    select
        first_product_id,
        count(*) as customer_count
    from first_steps
    group by first_product_id
    having count(*) >= {{ var('martlet_sequence_min_customers') }}
),

frequent_purchases as (
    select purchases.*
    from purchases
    inner join single_patterns on purchases.product_id = single_patterns.first_product_id
),

-- The earliest match is enough: whoever holds a pattern holds it so.
second_steps as (
    select
        first_steps.customer_id,
        first_steps.first_product_id,
        frequent_purchases.product_id as second_product_id,
        min(frequent_purchases.customer_order_number) as order_number,
        min(frequent_purchases.basket_date) as basket_date,
        min({{ days_between('first_steps.basket_date', 'frequent_purchases.basket_date') }})
            as gap_days
    from first_steps
    inner join single_patterns
        on first_steps.first_product_id = single_patterns.first_product_id
    inner join frequent_purchases
        on
        first_steps.customer_id = frequent_purchases.customer_id
        and first_steps.order_number < frequent_purchases.customer_order_number
    group by
        first_steps.customer_id, first_steps.first_product_id, frequent_purchases.product_id
),

double_patterns as (
    select
        first_product_id,
        second_product_id,
        count(*) as customer_count,
        median(cast(gap_days as double)) as median_gap_days
    from second_steps
    group by first_product_id, second_product_id
    having count(*) >= {{ var('martlet_sequence_min_customers') }}
),

third_steps as (
    select
        second_steps.customer_id,
        second_steps.first_product_id,
        second_steps.second_product_id,
        frequent_purchases.product_id as third_product_id,
        min({{ days_between('second_steps.basket_date', 'frequent_purchases.basket_date') }})
            as gap_days
    from second_steps
    inner join double_patterns
        on
        second_steps.first_product_id = double_patterns.first_product_id
        and second_steps.second_product_id = double_patterns.second_product_id
    inner join frequent_purchases
        on
        second_steps.customer_id = frequent_purchases.customer_id
        and second_steps.order_number < frequent_purchases.customer_order_number
    -- Every part of a frequent pattern is frequent: most candidates end here.
    inner join double_patterns as last_pair
        on
        second_steps.second_product_id = last_pair.first_product_id
        and frequent_purchases.product_id = last_pair.second_product_id
    group by
        second_steps.customer_id,
        second_steps.first_product_id,
        second_steps.second_product_id,
        frequent_purchases.product_id
),

triple_patterns as (
    select
        first_product_id,
        second_product_id,
        third_product_id,
        count(*) as customer_count,
        median(cast(gap_days as double)) as median_gap_days
    from third_steps
    group by first_product_id, second_product_id, third_product_id
    having count(*) >= {{ var('martlet_sequence_min_customers') }}
),

-- Customers who bought both, in whichever order.
customers_with_both as (
    select
        double_patterns.first_product_id,
        double_patterns.second_product_id,
        count(*) as customer_count
    from double_patterns
    inner join first_steps as earlier
        on double_patterns.first_product_id = earlier.first_product_id
    inner join first_steps as later
        on
        double_patterns.second_product_id = later.first_product_id
        and earlier.customer_id = later.customer_id
    group by double_patterns.first_product_id, double_patterns.second_product_id
),

patterns as (
    select
        1 as step_count,
        first_product_id,
        cast(null as string) as second_product_id,
        cast(null as string) as third_product_id,
        customer_count,
        cast(null as bigint) as prefix_customer_count,
        cast(null as bigint) as last_step_customer_count,
        cast(null as bigint) as any_order_customer_count,
        cast(null as double) as median_gap_days
    from single_patterns
    union all
    select
        2 as step_count,
        double_patterns.first_product_id,
        double_patterns.second_product_id,
        cast(null as string) as third_product_id,
        double_patterns.customer_count,
        prefixes.customer_count as prefix_customer_count,
        last_steps.customer_count as last_step_customer_count,
        customers_with_both.customer_count as any_order_customer_count,
        double_patterns.median_gap_days
    from double_patterns
    inner join single_patterns as prefixes
        on double_patterns.first_product_id = prefixes.first_product_id
    inner join single_patterns as last_steps
        on double_patterns.second_product_id = last_steps.first_product_id
    inner join customers_with_both
        on
        double_patterns.first_product_id = customers_with_both.first_product_id
        and double_patterns.second_product_id = customers_with_both.second_product_id
    union all
    select
        3 as step_count,
        triple_patterns.first_product_id,
        triple_patterns.second_product_id,
        triple_patterns.third_product_id,
        triple_patterns.customer_count,
        prefixes.customer_count as prefix_customer_count,
        last_steps.customer_count as last_step_customer_count,
        cast(null as bigint) as any_order_customer_count,
        triple_patterns.median_gap_days
    from triple_patterns
    inner join double_patterns as prefixes
        on
        triple_patterns.first_product_id = prefixes.first_product_id
        and triple_patterns.second_product_id = prefixes.second_product_id
    inner join single_patterns as last_steps
        on triple_patterns.third_product_id = last_steps.first_product_id
),

measured as (
    select
        {{ hash_text([
            'patterns.first_product_id', 'patterns.second_product_id', 'patterns.third_product_id'
        ]) }} as sequence_id,
        customers.as_of_date,
        cast(patterns.step_count as integer) as step_count,
        patterns.first_product_id,
        patterns.second_product_id,
        patterns.third_product_id,
        patterns.customer_count,
        cast(patterns.customer_count as double) / nullif(customers.customer_count, 0)
            as customer_share,
        patterns.prefix_customer_count,
        cast(patterns.customer_count as double) / nullif(patterns.prefix_customer_count, 0)
            as confidence,
        cast(patterns.customer_count as double) * customers.customer_count / nullif(
            cast(patterns.prefix_customer_count as double) * patterns.last_step_customer_count, 0
        ) as lift,
        cast(patterns.customer_count as double) / nullif(patterns.any_order_customer_count, 0)
            as order_share,
        patterns.median_gap_days
    from patterns
    cross join customers
)

select * from measured
