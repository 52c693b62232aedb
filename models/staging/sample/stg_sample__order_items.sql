{%- set raw_columns = [
    'line_id', 'order_id', 'product_id', 'quantity', 'unit_price', 'discount', 'updated_at',
] -%}

with

raw_order_lines as (
    select * from {{ raw_table('sample', 'order_lines', raw_columns) }}
),

orders as (
    select * from {{ ref('stg_sample__orders') }}
),

products as (
    select * from {{ ref('stg_sample__products') }}
),

kept_orders as (
    select
        order_id,
        exchange_rate
    from orders
    where rejection_reason is null
),

kept_products as (
    select
        product_id,
        unit_cost_amount
    from products
    where rejection_reason is null
),

-- Without a single product there is no catalogue to miss them in: the lines are kept.
catalogue as (
    select count(*) > 0 as is_delivered
    from kept_products
),

typed as (
    select
        {{ clean_text('line_id') }} as order_item_id,
        {{ clean_text('order_id') }} as order_id,
        {{ clean_text('product_id') }} as product_id,
        {{ parse_whole_number('quantity') }} as quantity,
        {{ parse_amount('unit_price') }} as unit_price_amount,
        {{ parse_amount('discount') }} as discount_amount,
        {{ parse_timestamp('updated_at') }} as updated_at,
        {{ row_as_struct(raw_columns) }} as raw_row
    from raw_order_lines
),

judged as (
    select
        *,
        case
            when order_item_id is null then 'missing_key'
            when
                {{ not_a_number('raw_row.quantity', 'quantity') }}
                or {{ not_a_number('raw_row.unit_price', 'unit_price_amount') }}
                or {{ not_a_number('raw_row.discount', 'discount_amount', required=false) }}
                then 'not_a_number'
            when quantity < 1 then 'impossible_quantity'
            when unit_price_amount < 0 or discount_amount < 0 then 'negative_price'
        end as own_reason
    from typed
),

versioned as (
    select
        *,
        {{ version_columns(['order_item_id'], 'updated_at') | indent(8) }}
    from judged
),

rejected as (
    select
        versioned.order_item_id,
        versioned.order_id,
        versioned.product_id,
        versioned.quantity,
        versioned.raw_row,
        kept_products.unit_cost_amount,
        {{ convert_amount('versioned.unit_price_amount', 'kept_orders.exchange_rate') }}
            as unit_price_amount,
        {{ convert_amount(
            'coalesce(versioned.discount_amount, 0)', 'kept_orders.exchange_rate'
        ) }} as discount_amount,
        case
            when versioned.own_reason is not null then versioned.own_reason
            {{ version_reason() | indent(8) }}
            when kept_orders.order_id is null then 'unknown_order'
            when
                kept_products.product_id is null
                and (catalogue.is_delivered or versioned.product_id is null)
                then 'unknown_product'
            when
                {{ amount_too_large(
                    ['versioned.quantity * versioned.unit_price_amount', 'versioned.discount_amount'],
                    'kept_orders.exchange_rate'
                ) }}
                then 'impossible_amount'
        end as rejection_reason
    from versioned
    cross join catalogue
    left join kept_orders on versioned.order_id = kept_orders.order_id
    left join kept_products on versioned.product_id = kept_products.product_id
),

order_items as (
    select
        order_item_id,
        order_id,
        cast(row_number() over (
            partition by order_id, rejection_reason
            order by order_item_id
        ) as integer) as line_number,
        product_id,
        quantity,
        unit_price_amount,
        discount_amount,
        try_cast(quantity * unit_price_amount - discount_amount as decimal(18, 4)) as line_amount,
        unit_cost_amount,
        {{ quarantine_columns('order_item_id') | indent(8) }}
    from rejected
)

select * from order_items
