{%- set raw_columns = ['product_id', 'counted_at', 'on_hand'] -%}

with

raw_stock as (
    select * from {{ raw_table('sample', 'stock', raw_columns) }}
),

products as (
    select * from {{ ref('stg_sample__products') }}
),

kept_products as (
    select product_id
    from products
    where rejection_reason is null
),

typed as (
    select
        {{ clean_text('product_id') }} as product_id,
        {{ parse_timestamp('counted_at') }} as counted_at,
        {{ parse_whole_number('on_hand') }} as on_hand_quantity,
        {{ row_as_struct(raw_columns) }} as raw_row
    from raw_stock
),

judged as (
    select
        *,
        case
            when product_id is null then 'missing_key'
            when {{ impossible_date('raw_row.counted_at', 'counted_at') }} then 'impossible_date'
            when {{ not_a_number('raw_row.on_hand', 'on_hand_quantity') }} then 'not_a_number'
        end as own_reason
    from typed
),

versioned as (
    select
        *,
        {{ version_columns(['product_id', 'counted_at'], 'counted_at') | indent(8) }}
    from judged
),

rejected as (
    select
        versioned.*,
        case
            when versioned.own_reason is not null then versioned.own_reason
            {{ version_reason() | indent(8) }}
            when kept_products.product_id is null then 'unknown_product'
        end as rejection_reason
    from versioned
    left join kept_products on versioned.product_id = kept_products.product_id
),

stock_levels as (
    select
        product_id,
        counted_at,
        on_hand_quantity,
        {{ quarantine_columns("product_id || '|' || raw_row.counted_at") | indent(8) }}
    from rejected
)

select * from stock_levels
