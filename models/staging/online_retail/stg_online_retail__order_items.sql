with lines as (

    select * from {{ ref('stg_online_retail__lines') }}

),

order_items as (

    select
        line_id as order_item_id,
        invoice_id as order_id,
        line_number,
        product_id,
        quantity,
        unit_price_amount,
        cast(0 as decimal(18, 4)) as discount_amount,
        line_amount,
        cast(null as decimal(18, 4)) as unit_cost_amount,
        rejection_reason,
        line_id as source_key,
        source_row
    from lines
    where not is_return

)

select * from order_items
