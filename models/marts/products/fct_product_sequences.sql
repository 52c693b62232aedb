with

sequences as (
    select * from {{ ref('int_products__sequences') }}
),

products as (
    select * from {{ ref('int_products__listed') }}
),

described as (
    select
        sequences.sequence_id,
        sequences.as_of_date,
        sequences.step_count,
        sequences.first_product_id,
        sequences.second_product_id,
        sequences.third_product_id,
        concat_ws(
            ' > ',
            coalesce(first_products.product_name, sequences.first_product_id),
            coalesce(second_products.product_name, sequences.second_product_id),
            coalesce(third_products.product_name, sequences.third_product_id)
        ) as sequence_names,
        sequences.customer_count,
        sequences.customer_share,
        sequences.confidence,
        sequences.lift,
        sequences.order_share,
        sequences.mean_gap_days
    from sequences
    left join products as first_products
        on sequences.first_product_id = first_products.product_id
    left join products as second_products
        on sequences.second_product_id = second_products.product_id
    left join products as third_products
        on sequences.third_product_id = third_products.product_id
)

select * from described
