{%- set raw_columns = [
    'refund_id', 'order_id', 'line_id', 'product_id', 'quantity', 'amount', 'currency',
    'created_at', 'reason',
] -%}

with

raw_refunds as (
    select * from {{ raw_table('sample', 'refunds', raw_columns) }}
),

orders as (
    select * from {{ ref('stg_sample__orders') }}
),

currencies as (
    select * from {{ ref('currencies') }}
),

kept_orders as (
    select
        order_id,
        customer_id,
        currency_code,
        exchange_rate
    from orders
    where rejection_reason is null
),

typed as (
    select
        {{ clean_text('refund_id') }} as return_id,
        {{ clean_text('order_id') }} as order_id,
        {{ clean_text('line_id') }} as order_item_id,
        {{ clean_text('product_id') }} as product_id,
        {{ parse_timestamp('created_at') }} as returned_at,
        {{ parse_whole_number('quantity') }} as quantity,
        {{ parse_amount('amount') }} as refund_amount,
        upper({{ clean_text('currency') }}) as currency_code,
        {{ clean_code('reason') }} as return_reason,
        {{ row_as_struct(raw_columns) }} as raw_row
    from raw_refunds
),

judged as (
    select
        typed.*,
        case
            when typed.return_id is null then 'missing_key'
            when {{ impossible_date('raw_row.created_at', 'returned_at') }} then 'impossible_date'
            when
                {{ not_a_number('raw_row.quantity', 'quantity', required=false) }}
                or {{ not_a_number('raw_row.amount', 'refund_amount') }}
                then 'not_a_number'
            when typed.quantity < 0 then 'impossible_quantity'
            when typed.refund_amount < 0 then 'negative_price'
            when currencies.currency_code is null then 'unknown_currency'
        end as own_reason
    from typed
    left join currencies on typed.currency_code = currencies.currency_code
),

versioned as (
    select
        *,
        {{ version_columns(['return_id'], 'returned_at') | indent(8) }}
    from judged
),

priced as (
    select
        versioned.*,
        kept_orders.customer_id,
        kept_orders.order_id as known_order_id,
        {{ order_exchange_rate('versioned.currency_code', 'kept_orders') }} as exchange_rate
    from versioned
    left join kept_orders on versioned.order_id = kept_orders.order_id
),

rejected as (
    select
        *,
        case
            when own_reason is not null then own_reason
            {{ version_reason() | indent(8) }}
            -- Not every refund names its order, but an order nobody knows is an error.
            when order_id is not null and known_order_id is null then 'unknown_order'
            when exchange_rate is null then 'unknown_exchange_rate'
            when {{ amount_too_large(['refund_amount'], 'exchange_rate') }} then 'impossible_amount'
        end as rejection_reason
    from priced
),

returns as (
    select
        return_id,
        order_id,
        order_item_id,
        product_id,
        customer_id,
        returned_at,
        quantity,
        {{ convert_amount('refund_amount', 'exchange_rate') }} as refund_amount,
        return_reason,
        {{ quarantine_columns('return_id') | indent(8) }}
    from rejected
)

select * from returns
