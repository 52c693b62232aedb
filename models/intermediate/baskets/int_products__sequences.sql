with

purchases as (
    select * from {{ ref('int_purchases__numbered') }}
),

products as (
    select
        product_number,
        min(product_id) as product_id
    from purchases
    group by product_number
),

-- A share besides the number: what a handful of customers do is no pattern of a large shop.
customers as (
    select
        count(distinct customer_number) as customer_count,
        greatest(
            {{ var('martlet_sequence_min_customers') }},
            0.005 * count(distinct customer_number)
        ) as least_customer_count,
        max(as_of_date) as as_of_date
    from purchases
),

first_steps as (
    select
        customer_number,
        product_number,
        min(customer_order_number) as order_number,
        min(basket_date) as basket_date
    from purchases
    group by customer_number, product_number
),

single_counts as (
    select
        product_number,
        count(*) as customer_count
    from first_steps
    group by product_number
),

single_patterns as (
    select single_counts.*
    from single_counts
    inner join customers on single_counts.customer_count >= customers.least_customer_count
),

frequent_purchases as (
    select purchases.*
    from purchases
    inner join single_patterns on purchases.product_number = single_patterns.product_number
),

-- The earliest match is enough: whoever holds a pattern holds it so.
second_steps as (
    select
        first_steps.customer_number,
        first_steps.product_number as first_number,
        frequent_purchases.product_number as second_number,
        min(frequent_purchases.customer_order_number) as order_number,
        min(frequent_purchases.basket_date) as basket_date,
        min({{ days_between('first_steps.basket_date', 'frequent_purchases.basket_date') }})
            as gap_days
    from first_steps
    inner join single_patterns on first_steps.product_number = single_patterns.product_number
    inner join frequent_purchases
        on
        first_steps.customer_number = frequent_purchases.customer_number
        and first_steps.order_number < frequent_purchases.customer_order_number
    group by
        first_steps.customer_number, first_steps.product_number, frequent_purchases.product_number
),

double_counts as (
    select
        first_number,
        second_number,
        count(*) as customer_count,
        avg(cast(gap_days as double)) as mean_gap_days
    from second_steps
    group by first_number, second_number
),

double_patterns as (
    select double_counts.*
    from double_counts
    inner join customers on double_counts.customer_count >= customers.least_customer_count
),

-- Every part of a frequent pattern is frequent: only steps of frequent pairs can go on.
frequent_steps as (
    select second_steps.*
    from second_steps
    inner join double_patterns
        on
        second_steps.first_number = double_patterns.first_number
        and second_steps.second_number = double_patterns.second_number
),

third_steps as (
    select
        frequent_steps.customer_number,
        frequent_steps.first_number,
        frequent_steps.second_number,
        frequent_purchases.product_number as third_number,
        min({{ days_between('frequent_steps.basket_date', 'frequent_purchases.basket_date') }})
            as gap_days
    from frequent_steps
    inner join frequent_purchases
        on
        frequent_steps.customer_number = frequent_purchases.customer_number
        and frequent_steps.order_number < frequent_purchases.customer_order_number
    inner join double_patterns as last_pair
        on
        frequent_steps.second_number = last_pair.first_number
        and frequent_purchases.product_number = last_pair.second_number
    group by
        frequent_steps.customer_number,
        frequent_steps.first_number,
        frequent_steps.second_number,
        frequent_purchases.product_number
),

triple_counts as (
    select
        first_number,
        second_number,
        third_number,
        count(*) as customer_count,
        avg(cast(gap_days as double)) as mean_gap_days
    from third_steps
    group by first_number, second_number, third_number
),

triple_patterns as (
    select triple_counts.*
    from triple_counts
    inner join customers on triple_counts.customer_count >= customers.least_customer_count
),

-- Customers who bought both, in whichever order.
customers_with_both as (
    select
        double_patterns.first_number,
        double_patterns.second_number,
        count(*) as customer_count
    from double_patterns
    inner join first_steps as earlier
        on double_patterns.first_number = earlier.product_number
    inner join first_steps as later
        on
        double_patterns.second_number = later.product_number
        and earlier.customer_number = later.customer_number
    group by double_patterns.first_number, double_patterns.second_number
),

patterns as (
    select
        1 as step_count,
        product_number as first_number,
        cast(null as integer) as second_number,
        cast(null as integer) as third_number,
        customer_count,
        cast(null as bigint) as prefix_customer_count,
        cast(null as bigint) as last_step_customer_count,
        cast(null as bigint) as any_order_customer_count,
        cast(null as double) as mean_gap_days
    from single_patterns
    union all
    select
        2 as step_count,
        double_patterns.first_number,
        double_patterns.second_number,
        cast(null as integer) as third_number,
        double_patterns.customer_count,
        prefixes.customer_count as prefix_customer_count,
        last_steps.customer_count as last_step_customer_count,
        customers_with_both.customer_count as any_order_customer_count,
        double_patterns.mean_gap_days
    from double_patterns
    inner join single_patterns as prefixes
        on double_patterns.first_number = prefixes.product_number
    inner join single_patterns as last_steps
        on double_patterns.second_number = last_steps.product_number
    inner join customers_with_both
        on
        double_patterns.first_number = customers_with_both.first_number
        and double_patterns.second_number = customers_with_both.second_number
    union all
    select
        3 as step_count,
        triple_patterns.first_number,
        triple_patterns.second_number,
        triple_patterns.third_number,
        triple_patterns.customer_count,
        prefixes.customer_count as prefix_customer_count,
        last_steps.customer_count as last_step_customer_count,
        cast(null as bigint) as any_order_customer_count,
        triple_patterns.mean_gap_days
    from triple_patterns
    inner join double_patterns as prefixes
        on
        triple_patterns.first_number = prefixes.first_number
        and triple_patterns.second_number = prefixes.second_number
    inner join single_patterns as last_steps
        on triple_patterns.third_number = last_steps.product_number
),

named as (
    select
        patterns.*,
        first_products.product_id as first_product_id,
        second_products.product_id as second_product_id,
        third_products.product_id as third_product_id
    from patterns
    inner join products as first_products
        on patterns.first_number = first_products.product_number
    left join products as second_products
        on patterns.second_number = second_products.product_number
    left join products as third_products
        on patterns.third_number = third_products.product_number
),

measured as (
    select
        {{ hash_text([
            'named.first_product_id', 'named.second_product_id', 'named.third_product_id'
        ]) }} as sequence_id,
        customers.as_of_date,
        cast(named.step_count as integer) as step_count,
        named.first_product_id,
        named.second_product_id,
        named.third_product_id,
        named.customer_count,
        cast(named.customer_count as double) / nullif(customers.customer_count, 0)
            as customer_share,
        named.prefix_customer_count,
        cast(named.customer_count as double) / nullif(named.prefix_customer_count, 0)
            as confidence,
        cast(named.customer_count as double) * customers.customer_count / nullif(
            cast(named.prefix_customer_count as double) * named.last_step_customer_count, 0
        ) as lift,
        cast(named.customer_count as double) / nullif(named.any_order_customer_count, 0)
            as order_share,
        named.mean_gap_days
    from named
    cross join customers
)

select * from measured
