with

purchases as (
    select * from {{ ref('int_purchases__numbered') }}
),

products as (
    select
        product_number,
        min(product_id) as product_id,
        min(as_of_date) as as_of_date,
        count(*) as purchase_count,
        count(case when customer_order_number < last_order_number then 1 end) as followed_count,
        count(case when customer_order_number > 1 then 1 end) as repeat_order_count
    from purchases
    group by product_number
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

-- Once a customer first: counting customers then needs no list of them.
followed_by as (
    select
        earlier.customer_number,
        earlier.product_number,
        later.product_number as next_product_number,
        count(*) as transition_count,
        count(
            case when later.customer_order_number - earlier.customer_order_number = 1 then 1 end
        ) as next_order_count,
        sum(power(
            cast({{ var('martlet_sequence_decay') }} as double),
            later.customer_order_number - earlier.customer_order_number - 1
        )) as decayed_count,
        sum({{ days_between('earlier.basket_date', 'later.basket_date') }}) as gap_days
    from purchases as earlier
    inner join purchases as later
        on
        earlier.customer_number = later.customer_number
        and earlier.customer_order_number < later.customer_order_number
        and later.customer_order_number
        <= earlier.customer_order_number + {{ var('martlet_sequence_max_gap') }}
    group by earlier.customer_number, earlier.product_number, later.product_number
),

transitions as (
    select
        product_number,
        next_product_number,
        count(*) as customer_count,
        sum(transition_count) as transition_count,
        sum(next_order_count) as next_order_count,
        -- Rounded, because the last digit of a sum depends on the order of the rows.
        round(sum(decayed_count), 9) as decayed_count,
        cast(sum(gap_days) as double) / nullif(sum(transition_count), 0) as mean_gap_days
    from followed_by
    group by product_number, next_product_number
),

floors as (
    select
        product_number,
        {{ floor_of_greatest('decayed_count', 100) }} as least_count
    from transitions
    group by product_number
),

-- What follows a product hardly ever is of no use to anybody.
ranked as (
    select
        transitions.*,
        row_number() over (
            partition by transitions.product_number
            order by
                transitions.decayed_count desc, transitions.customer_count desc,
                transitions.next_product_number
        ) as next_product_rank
    from transitions
    inner join floors on transitions.product_number = floors.product_number
    where transitions.decayed_count >= floors.least_count
),

measured as (
    select
        products.product_id,
        next_products.product_id as next_product_id,
        products.as_of_date,
        transitions.product_number = transitions.next_product_number as is_repeat,
        transitions.customer_count,
        cast(transitions.transition_count as bigint) as transition_count,
        transitions.decayed_count,
        transitions.decayed_count / sqrt(
            cast(products.purchase_count as double) * next_products.purchase_count
        ) as transition_weight,
        transitions.mean_gap_days,
        products.followed_count,
        cast(transitions.next_order_count as bigint) as next_order_count,
        cast(transitions.next_order_count as double) / nullif(products.followed_count, 0)
            as next_order_rate,
        cast(next_products.repeat_order_count as double)
        / nullif(repeat_orders.repeat_order_count, 0) as base_rate
    from ranked as transitions
    inner join products on transitions.product_number = products.product_number
    inner join products as next_products
        on transitions.next_product_number = next_products.product_number
    cross join repeat_orders
    where transitions.next_product_rank <= 100
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
        mean_gap_days,
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
