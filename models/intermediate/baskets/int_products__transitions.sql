with

lines as (
    select * from {{ ref('int_baskets__lines') }}
),

-- A basket without bounds would count every pair of its lines with every later line.
purchases as (
    select
        customer_id,
        customer_order_number,
        basket_date,
        product_id,
        as_of_date,
        max(customer_order_number) over (partition by customer_id) as last_order_number
    from lines
    where customer_id is not null and basket_size <= {{ var('martlet_basket_max_items') }}
),

products as (
    select
        product_id,
        min(as_of_date) as as_of_date,
        count(*) as purchase_count,
        count(case when customer_order_number < last_order_number then 1 end) as followed_count,
        count(case when customer_order_number > 1 then 1 end) as repeat_order_count
    from purchases
    group by product_id
),

repeat_orders as (
    select count(*) as repeat_order_count
    from (
        select distinct
            customer_id,
            customer_order_number
        from purchases
        where customer_order_number > 1
    ) as later_orders
),

followed_by as (
    select
        earlier.product_id,
        later.product_id as next_product_id,
        earlier.customer_id,
        later.customer_order_number - earlier.customer_order_number as order_gap,
        {{ days_between('earlier.basket_date', 'later.basket_date') }} as gap_days
    from purchases as earlier
    inner join purchases as later
        on
        earlier.customer_id = later.customer_id
        and earlier.customer_order_number < later.customer_order_number
        and later.customer_order_number
        <= earlier.customer_order_number + {{ var('martlet_sequence_max_gap') }}
),

transitions as (
    select
        product_id,
        next_product_id,
        count(distinct customer_id) as customer_count,
        count(*) as transition_count,
        count(case when order_gap = 1 then 1 end) as next_order_count,
        -- Rounded, because the last digit of a sum depends on the order of the rows.
        round(sum(power(cast({{ var('martlet_sequence_decay') }} as double), order_gap - 1)), 9)
            as decayed_count,
        median(cast(gap_days as double)) as median_gap_days
    from followed_by
    group by product_id, next_product_id
),

measured as (
    select
        transitions.product_id,
        transitions.next_product_id,
        products.as_of_date,
        transitions.product_id = transitions.next_product_id as is_repeat,
        transitions.customer_count,
        transitions.transition_count,
        transitions.decayed_count,
        transitions.decayed_count / sqrt(
            cast(products.purchase_count as double) * next_products.purchase_count
        ) as transition_weight,
        transitions.median_gap_days,
        products.followed_count,
        transitions.next_order_count,
        cast(transitions.next_order_count as double) / nullif(products.followed_count, 0)
            as next_order_rate,
        cast(next_products.repeat_order_count as double)
        / nullif(repeat_orders.repeat_order_count, 0) as base_rate
    from transitions
    inner join products on transitions.product_id = products.product_id
    inner join products as next_products
        on transitions.next_product_id = next_products.product_id
    cross join repeat_orders
),

expected as (
    select
        *,
        followed_count * base_rate as expected_count
    from measured
),

compared as (
    select
        product_id,
        next_product_id,
        as_of_date,
        is_repeat,
        customer_count,
        transition_count,
        decayed_count,
        transition_weight,
        median_gap_days,
        followed_count,
        next_order_count,
        next_order_rate,
        base_rate,
        next_order_rate / nullif(base_rate, 0) as next_order_lift,
        -- Signed root of the Poisson deviance: one lucky order of a rare product is no evidence.
        case when next_order_count < expected_count then -1 else 1 end * sqrt(greatest(
            2 * (
                next_order_count
                * ln(greatest(next_order_count, 1) / nullif(expected_count, 0))
                - (next_order_count - expected_count)
            ),
            0
        )) as next_order_z
    from expected
)

select * from compared
