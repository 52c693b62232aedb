with

order_items as (
    select * from {{ ref('int_order_items__enriched') }}
),

orders as (
    select * from {{ ref('int_orders__enriched') }}
),

cutoffs as (
    select * from {{ ref('int_as_of_dates__split_for_propensity') }}
),

-- A year of what was known on the day.
days as (
    select distinct
        cutoffs.as_of_date,
        orders.customer_id,
        order_items.product_id,
        orders.order_date
    from orders
    inner join order_items on orders.order_id = order_items.order_id
    inner join cutoffs
        on orders.order_date < cutoffs.as_of_date
        and orders.order_date >= {{ date_add_days('cutoffs.as_of_date', -365) }}
        and (orders.cancelled_date is null or orders.cancelled_date >= cutoffs.as_of_date)
    where
        not orders.is_test
        and orders.customer_id is not null
        and order_items.product_id is not null
),

-- Numbers are compared faster than texts, and pairs of purchases are many.
numbered as (
    select
        as_of_date,
        product_id,
        dense_rank() over (order by as_of_date, customer_id) as customer_number,
        cast(dense_rank() over (order by product_id) as integer) as product_number,
        cast(dense_rank() over (
            partition by as_of_date, customer_id order by order_date
        ) as integer) as order_number,
        count(*) over (partition by as_of_date, customer_id) as line_count
    from days
),

-- A customer without bounds would pair every line with every later one.
purchases as (
    select *
    from numbered
    where line_count <= 2 * {{ var('martlet_sequence_max_products') }}
),

products as (
    select
        as_of_date,
        product_number,
        min(product_id) as product_id,
        count(*) as purchase_count
    from purchases
    group by as_of_date, product_number
),

followed as (
    select
        earlier.as_of_date,
        earlier.product_number,
        later.product_number as next_product_number,
        -- Rounded, because the last digit of a sum depends on the order of the rows.
        round(sum(power(
            cast({{ var('martlet_sequence_decay') }} as double),
            later.order_number - earlier.order_number - 1
        )), 9) as decayed_count
    from purchases as earlier
    inner join purchases as later
        on earlier.customer_number = later.customer_number
        and earlier.order_number < later.order_number
        and later.order_number <= earlier.order_number + {{ var('martlet_sequence_max_gap') }}
    group by earlier.as_of_date, earlier.product_number, later.product_number
),

-- Five more purchases in each product: what was seen once by chance is no neighbour.
weighed as (
    select
        followed.as_of_date,
        products.product_id,
        next_products.product_id as next_product_id,
        followed.decayed_count / (
            5 + sqrt(cast(products.purchase_count as double) * next_products.purchase_count)
        ) as transition_weight
    from followed
    inner join products
        on followed.as_of_date = products.as_of_date
        and followed.product_number = products.product_number
    inner join products as next_products
        on followed.as_of_date = next_products.as_of_date
        and followed.next_product_number = next_products.product_number
),

ranked as (
    select
        *,
        row_number() over (
            partition by as_of_date, product_id
            order by transition_weight desc, next_product_id
        ) as transition_rank
    from weighed
),

transitions as (
    select
        as_of_date,
        product_id,
        next_product_id,
        transition_weight,
        cast(transition_rank as integer) as transition_rank
    from ranked
    where transition_rank <= 20
)

select * from transitions
