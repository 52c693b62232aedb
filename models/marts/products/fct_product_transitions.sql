with

transitions as (
    select * from {{ ref('int_products__transitions') }}
),

products as (
    select * from {{ ref('int_products__listed') }}
),

described as (
    select
        transitions.product_id,
        transitions.next_product_id,
        transitions.as_of_date,
        products.product_name,
        next_products.product_name as next_product_name,
        transitions.is_repeat,
        transitions.customer_count,
        transitions.transition_count,
        transitions.decayed_count,
        transitions.transition_weight,
        transitions.mean_gap_days,
        transitions.followed_count,
        transitions.next_order_count,
        transitions.next_order_rate,
        transitions.base_rate,
        transitions.next_order_lift,
        transitions.next_order_z
    from transitions
    left join products on transitions.product_id = products.product_id
    left join products as next_products
        on transitions.next_product_id = next_products.product_id
)

select * from described
