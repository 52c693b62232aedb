with

lines as (
    select * from {{ ref('int_baskets__lines') }}
    where customer_id is not null
),

customers as (
    select
        customer_id,
        count(distinct product_id) as product_count
    from lines
    group by customer_id
),

-- A basket or a customer without bounds would count every pair of its lines with every later line.
numbered as (
    select
        lines.customer_id,
        lines.product_id,
        lines.customer_order_number,
        lines.basket_date,
        lines.as_of_date,
        -- Numbers are compared faster than texts, and pairs of purchases are many.
        cast(dense_rank() over (order by lines.customer_id) as integer) as customer_number,
        cast(dense_rank() over (order by lines.product_id) as integer) as product_number,
        max(lines.customer_order_number) over (partition by lines.customer_id)
            as last_order_number
    from lines
    inner join customers on lines.customer_id = customers.customer_id
    where
        lines.basket_size <= {{ var('martlet_basket_max_items') }}
        and customers.product_count <= {{ var('martlet_sequence_max_products') }}
)

select * from numbered
