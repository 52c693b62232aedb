with

predictions as (
    select * from {{ ref('ml_next_basket__predictions') }}
),

products as (
    select * from {{ ref('int_products__listed') }}
),

parts as (
    select
        *,
        case when is_repeat then 'repeat' else 'discovery' end as basket_part
    from predictions
),

described as (
    select
        parts.customer_id,
        parts.basket_rank,
        parts.product_id,
        parts.as_of_date,
        products.product_name,
        products.category,
        parts.basket_probability,
        sum(parts.basket_probability) over (
            partition by parts.customer_id order by parts.basket_rank
            rows between unbounded preceding and current row
        ) as expected_product_count,
        parts.basket_part,
        cast(row_number() over (
            partition by parts.customer_id, parts.basket_part order by parts.basket_rank
        ) as integer) as basket_part_rank,
        parts.score,
        parts.frequency_score,
        parts.similarity_score,
        parts.popularity_score,
        parts.reason_product_id,
        parts.model_version,
        parts.predicted_at
    from parts
    left join products on parts.product_id = products.product_id
)

select * from described
