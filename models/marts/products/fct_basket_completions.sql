with

predictions as (
    select * from {{ ref('ml_basket__predictions') }}
),

products as (
    select * from {{ ref('int_products__listed') }}
),

reasons as (
    select
        basket_id,
        suggestion_rank,
        {{ exploded_list('reason_product_ids') }} as product_id
    from predictions
),

reason_names as (
    select
        reasons.basket_id,
        reasons.suggestion_rank,
        {{ ordered_text(
            'coalesce(products.product_name, reasons.product_id)', 'reasons.product_id'
        ) }} as reason_product_names
    from reasons
    left join products on reasons.product_id = products.product_id
    group by reasons.basket_id, reasons.suggestion_rank
),

described as (
    select
        predictions.basket_id,
        predictions.suggestion_rank,
        predictions.as_of_date,
        predictions.basket_kind,
        predictions.visitor_id,
        predictions.customer_id,
        predictions.basket_at,
        predictions.basket_size,
        predictions.product_id,
        products.product_name,
        products.category,
        coalesce(products.is_active, false) as is_active,
        predictions.added_probability,
        reason_names.reason_product_names,
        predictions.reason_lift,
        predictions.model_version,
        predictions.predicted_at
    from predictions
    left join products on predictions.product_id = products.product_id
    left join reason_names
        on
        predictions.basket_id = reason_names.basket_id
        and predictions.suggestion_rank = reason_names.suggestion_rank
)

select * from described
