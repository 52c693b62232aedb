with

neighbours as (
    select * from {{ ml_part(ref('ml_recommendations__fit'), 'neighbours') }}
),

products as (
    select * from {{ ref('int_products__listed') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

described as (
    select
        neighbours.item_id as product_id,
        neighbours.rank as similarity_rank,
        neighbours.neighbour_id as similar_product_id,
        as_of_dates.as_of_date,
        products.product_name,
        similar_products.product_name as similar_product_name,
        products.category = similar_products.category as is_same_category,
        neighbours.similarity,
        neighbours.measure as similarity_measure,
        neighbours.shared_user_count as shared_customer_count,
        neighbours.model_version
    from neighbours
    cross join as_of_dates
    left join products on neighbours.item_id = products.product_id
    left join products as similar_products
        on neighbours.neighbour_id = similar_products.product_id
    where as_of_dates.is_current and neighbours.rank <= {{ var('martlet_recommendations') }}
)

select * from described
