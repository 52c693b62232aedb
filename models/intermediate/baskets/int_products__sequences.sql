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

-- First and last order with a product: they say whether one product came after another.
steps as (
    select
        customer_number,
        product_number,
        min(customer_order_number) as order_number,
        min(basket_date) as basket_date,
        max(customer_order_number) as last_order_number
    from purchases
    group by customer_number, product_number
),

single_counts as (
    select
        product_number,
        count(*) as customer_count
    from steps
    group by product_number
),

single_patterns as (
    select single_counts.*
    from single_counts
    inner join customers on single_counts.customer_count >= customers.least_customer_count
),

frequent_products as (
    select steps.*
    from steps
    inner join single_patterns on steps.product_number = single_patterns.product_number
),

-- Customers who bought both, and those who bought one after the other. A customer is one row, so
-- nothing has to be put together by customer before it is known what is frequent.
both_counts as (
    select
        earlier.product_number as first_number,
        later.product_number as second_number,
        count(*) as any_order_customer_count,
        count(case when earlier.order_number < later.last_order_number then 1 end)
            as customer_count,
        count(case when later.order_number < earlier.last_order_number then 1 end)
            as reverse_customer_count
    from frequent_products as earlier
    inner join frequent_products as later
        on
        earlier.customer_number = later.customer_number
        and earlier.product_number <= later.product_number
    group by earlier.product_number, later.product_number
),

double_counts as (
    select
        first_number,
        second_number,
        any_order_customer_count,
        customer_count
    from both_counts
    union all
    select
        second_number as first_number,
        first_number as second_number,
        any_order_customer_count,
        reverse_customer_count as customer_count
    from both_counts
    where first_number < second_number
),

frequent_pairs as (
    select
        double_counts.first_number,
        double_counts.second_number,
        max(double_counts.any_order_customer_count) as any_order_customer_count,
        max(double_counts.customer_count) as customer_count
    from double_counts
    inner join customers on double_counts.customer_count >= customers.least_customer_count
    group by double_counts.first_number, double_counts.second_number
),

-- The earliest match is enough: whoever holds a pattern holds it so.
second_matches as (
    select
        earlier.customer_number,
        earlier.product_number as first_number,
        purchases.product_number as second_number,
        purchases.customer_order_number as order_number,
        purchases.basket_date,
        {{ days_between('earlier.basket_date', 'purchases.basket_date') }} as gap_days,
        row_number() over (
            partition by earlier.customer_number, earlier.product_number, purchases.product_number
            order by purchases.customer_order_number
        ) as match_number
    from frequent_pairs
    inner join frequent_products as earlier
        on frequent_pairs.first_number = earlier.product_number
    inner join purchases
        on
        earlier.customer_number = purchases.customer_number
        and frequent_pairs.second_number = purchases.product_number
        and earlier.order_number < purchases.customer_order_number
),

second_steps as (
    select * from second_matches
    where match_number = 1
),

double_gaps as (
    select
        first_number,
        second_number,
        avg(cast(gap_days as double)) as mean_gap_days
    from second_steps
    group by first_number, second_number
),

double_patterns as (
    select
        frequent_pairs.*,
        double_gaps.mean_gap_days
    from frequent_pairs
    inner join double_gaps
        on
        frequent_pairs.first_number = double_gaps.first_number
        and frequent_pairs.second_number = double_gaps.second_number
),

-- Every part of a frequent pattern is frequent: only steps of frequent pairs can go on.
triple_holders as (
    select
        second_steps.customer_number,
        second_steps.first_number,
        second_steps.second_number,
        second_steps.order_number,
        second_steps.basket_date,
        frequent_products.product_number as third_number
    from second_steps
    inner join frequent_products
        on
        second_steps.customer_number = frequent_products.customer_number
        and second_steps.order_number < frequent_products.last_order_number
    inner join frequent_pairs as last_pair
        on
        second_steps.second_number = last_pair.first_number
        and frequent_products.product_number = last_pair.second_number
),

frequent_triples as (
    select
        triple_holders.first_number,
        triple_holders.second_number,
        triple_holders.third_number,
        count(*) as customer_count
    from triple_holders
    cross join customers
    group by
        triple_holders.first_number, triple_holders.second_number, triple_holders.third_number
    having count(*) >= min(customers.least_customer_count)
),

-- Who holds a triple is known: the third purchase is then found by its product, not among all.
third_matches as (
    select
        triple_holders.first_number,
        triple_holders.second_number,
        triple_holders.third_number,
        {{ days_between('triple_holders.basket_date', 'purchases.basket_date') }} as gap_days,
        row_number() over (
            partition by
                triple_holders.customer_number,
                triple_holders.first_number,
                triple_holders.second_number,
                triple_holders.third_number
            order by purchases.customer_order_number
        ) as match_number
    from triple_holders
    inner join frequent_triples
        on
        triple_holders.first_number = frequent_triples.first_number
        and triple_holders.second_number = frequent_triples.second_number
        and triple_holders.third_number = frequent_triples.third_number
    inner join purchases
        on
        triple_holders.customer_number = purchases.customer_number
        and triple_holders.third_number = purchases.product_number
        and triple_holders.order_number < purchases.customer_order_number
),

third_steps as (
    select * from third_matches
    where match_number = 1
),

triple_gaps as (
    select
        first_number,
        second_number,
        third_number,
        avg(cast(gap_days as double)) as mean_gap_days
    from third_steps
    group by first_number, second_number, third_number
),

triple_patterns as (
    select
        frequent_triples.*,
        triple_gaps.mean_gap_days
    from frequent_triples
    inner join triple_gaps
        on
        frequent_triples.first_number = triple_gaps.first_number
        and frequent_triples.second_number = triple_gaps.second_number
        and frequent_triples.third_number = triple_gaps.third_number
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
        double_patterns.any_order_customer_count,
        double_patterns.mean_gap_days
    from double_patterns
    inner join single_patterns as prefixes
        on double_patterns.first_number = prefixes.product_number
    inner join single_patterns as last_steps
        on double_patterns.second_number = last_steps.product_number
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
