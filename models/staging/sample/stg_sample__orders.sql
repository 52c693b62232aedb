{%- set raw_columns = [
    'order_id', 'customer_id', 'email', 'created_at', 'status', 'currency', 'exchange_rate',
    'subtotal', 'discount', 'shipping', 'tax', 'total', 'coupon_code', 'channel', 'cookie_id',
    'ip', 'device_id', 'billing_country', 'shipping_country', 'cancelled_at', 'tags',
    'updated_at',
] -%}
{%- do require_currency('sample', 'EUR') -%}

with

raw_orders as (
    select * from {{ raw_table('sample', 'orders', raw_columns, must_have_rows=true) }}
),

customers as (
    select * from {{ ref('stg_sample__customers') }}
),

currencies as (
    select * from {{ ref('currencies') }}
),

country_spellings as (
    select * from {{ ref('country_spellings') }}
),

test_customers as (
    select customer_id
    from customers
    where rejection_reason is null and is_test
),

typed as (
    select
        {{ clean_text('order_id') }} as order_id,
        {{ clean_text('customer_id') }} as customer_id,
        {{ parse_timestamp('created_at') }} as ordered_at,
        case {{ clean_code('status') }}
            when 'completed' then 'completed'
            when 'complete' then 'completed'
            when 'paid' then 'completed'
            when 'fulfilled' then 'completed'
            when 'shipped' then 'completed'
            when 'delivered' then 'completed'
            when 'refunded' then 'completed'
            when 'partially_refunded' then 'completed'
            when 'pending' then 'pending'
            when 'open' then 'pending'
            when 'processing' then 'pending'
            when 'on_hold' then 'pending'
            when 'cancelled' then 'cancelled'
            when 'canceled' then 'cancelled'
            when 'voided' then 'cancelled'
            when 'expired' then 'cancelled'
        end as order_status,
        {{ text_matches('lower(tags)', '(^|[^a-z])test([^a-z]|$)') }} as is_tagged_test,
        {{ parse_timestamp('cancelled_at') }} as cancelled_at,
        upper({{ clean_text('currency') }}) as currency_code,
        try_cast({{ clean_text('exchange_rate') }} as decimal(18, 8)) as exchange_rate,
        {{ parse_amount('subtotal') }} as items_amount,
        {{ parse_amount('discount') }} as discount_amount,
        {{ parse_amount('shipping') }} as shipping_amount,
        {{ parse_amount('tax') }} as tax_amount,
        {{ parse_amount('total') }} as total_amount,
        upper({{ clean_text('coupon_code') }}) as coupon_code,
        {{ clean_code('channel') }} as acquisition_channel,
        {{ clean_text('cookie_id') }} as visitor_id,
        lower({{ clean_text('ip') }}) as ip_address,
        {{ clean_text('device_id') }} as device_id,
        lower({{ clean_text('email') }}) as email,
        lower({{ clean_text('billing_country') }}) as billing_spelling,
        lower({{ clean_text('shipping_country') }}) as shipping_spelling,
        {{ parse_timestamp('updated_at') }} as updated_at,
        {{ row_as_struct(raw_columns) }} as raw_row
    from raw_orders
),

judged as (
    select
        typed.*,
        case
            when typed.order_id is null then 'missing_key'
            when
                {{ impossible_date('raw_row.created_at', 'ordered_at') }}
                or {{ impossible_date('raw_row.cancelled_at', 'cancelled_at', required=false) }}
                then 'impossible_date'
            when typed.order_status is null then 'unknown_status'
            when currencies.currency_code is null then 'unknown_currency'
            when
                {{ not_a_number('raw_row.exchange_rate', 'exchange_rate', required=false) }}
                or {{ not_a_number('raw_row.subtotal', 'items_amount') }}
                or {{ not_a_number('raw_row.discount', 'discount_amount', required=false) }}
                or {{ not_a_number('raw_row.shipping', 'shipping_amount', required=false) }}
                or {{ not_a_number('raw_row.tax', 'tax_amount', required=false) }}
                or {{ not_a_number('raw_row.total', 'total_amount') }}
                then 'not_a_number'
            when
                typed.items_amount < 0
                or typed.discount_amount < 0
                or typed.shipping_amount < 0
                or typed.tax_amount < 0
                or typed.total_amount < 0
                then 'negative_price'
            when
                typed.exchange_rate <= 0
                or (
                    typed.exchange_rate is null
                    and typed.currency_code <> '{{ var("martlet_currency") }}'
                )
                then 'unknown_exchange_rate'
            when
                {{ amount_too_large(
                    ['items_amount', 'discount_amount', 'shipping_amount', 'tax_amount', 'total_amount'],
                    'coalesce(typed.exchange_rate, 1)'
                ) }}
                then 'impossible_amount'
        end as own_reason
    from typed
    left join currencies on typed.currency_code = currencies.currency_code
),

versioned as (
    select
        *,
        coalesce(exchange_rate, 1) as rate,
        {{ version_columns(['order_id'], 'updated_at') | indent(8) }}
    from judged
),

rejected as (
    select
        *,
        case
            when own_reason is not null then own_reason
            {{ version_reason() | indent(8) }}
        end as rejection_reason
    from versioned
),

orders as (
    select
        order_id,
        rejected.customer_id,
        ordered_at,
        order_status,
        coalesce(is_tagged_test, false) or test_customers.customer_id is not null as is_test,
        order_status = 'cancelled' as is_cancelled,
        cancelled_at,
        currency_code,
        cast(rate as double) as exchange_rate,
        {{ convert_amount('items_amount', 'rate') }} as items_amount,
        {{ convert_amount('coalesce(discount_amount, 0)', 'rate') }} as discount_amount,
        {{ convert_amount('coalesce(shipping_amount, 0)', 'rate') }} as shipping_amount,
        {{ convert_amount('coalesce(tax_amount, 0)', 'rate') }} as tax_amount,
        {{ convert_amount('total_amount', 'rate') }} as total_amount,
        coupon_code,
        acquisition_channel,
        visitor_id,
        ip_address,
        device_id,
        email,
        billing_countries.country_code as billing_country_code,
        shipping_countries.country_code as shipping_country_code,
        updated_at,
        {{ quarantine_columns('order_id') | indent(8) }}
    from rejected
    left join test_customers on rejected.customer_id = test_customers.customer_id
    left join country_spellings as billing_countries
        on rejected.billing_spelling = billing_countries.spelling
    left join country_spellings as shipping_countries
        on rejected.shipping_spelling = shipping_countries.spelling
)

select * from orders
