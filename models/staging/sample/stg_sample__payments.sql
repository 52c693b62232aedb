{%- set raw_columns = [
    'payment_id', 'order_id', 'created_at', 'method', 'status', 'amount', 'currency',
    'card_fingerprint', 'chargeback_at',
] -%}

with

raw_payments as (
    select * from {{ raw_table('sample', 'payments', raw_columns) }}
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
        currency_code,
        exchange_rate
    from orders
    where rejection_reason is null
),

typed as (
    select
        {{ clean_text('payment_id') }} as payment_id,
        {{ clean_text('order_id') }} as order_id,
        {{ parse_timestamp('created_at') }} as paid_at,
        {{ clean_code('method') }} as payment_method,
        case {{ clean_code('status') }}
            when 'captured' then 'captured'
            when 'paid' then 'captured'
            when 'succeeded' then 'captured'
            when 'success' then 'captured'
            when 'failed' then 'failed'
            when 'failure' then 'failed'
            when 'declined' then 'failed'
            when 'error' then 'failed'
            when 'refunded' then 'refunded'
            when 'charged_back' then 'charged_back'
            when 'chargeback' then 'charged_back'
            when 'disputed' then 'charged_back'
        end as payment_status,
        {{ parse_amount('amount') }} as amount,
        upper({{ clean_text('currency') }}) as currency_code,
        {{ clean_text('card_fingerprint') }} as card_fingerprint,
        {{ parse_timestamp('chargeback_at') }} as charged_back_at,
        {{ row_as_struct(raw_columns) }} as raw_row
    from raw_payments
),

judged as (
    select
        typed.*,
        case
            when typed.payment_id is null then 'missing_key'
            when
                {{ impossible_date('raw_row.created_at', 'paid_at') }}
                or {{ impossible_date('raw_row.chargeback_at', 'charged_back_at', required=false) }}
                then 'impossible_date'
            when typed.payment_status is null then 'unknown_status'
            when {{ not_a_number('raw_row.amount', 'amount') }} then 'not_a_number'
            when typed.amount < 0 then 'negative_price'
            when currencies.currency_code is null then 'unknown_currency'
        end as own_reason
    from typed
    left join currencies on typed.currency_code = currencies.currency_code
),

versioned as (
    select
        *,
        {{ version_columns(['payment_id'], 'paid_at') | indent(8) }}
    from judged
),

priced as (
    select
        versioned.*,
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
            when known_order_id is null then 'unknown_order'
            when exchange_rate is null then 'unknown_exchange_rate'
            when {{ amount_too_large(['amount'], 'exchange_rate') }} then 'impossible_amount'
        end as rejection_reason
    from priced
),

payments as (
    select
        payment_id,
        order_id,
        paid_at,
        payment_method,
        payment_status,
        {{ convert_amount('amount', 'exchange_rate') }} as amount,
        currency_code,
        card_fingerprint,
        charged_back_at,
        {{ quarantine_columns('payment_id') | indent(8) }}
    from rejected
)

select * from payments
