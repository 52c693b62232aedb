{%- set raw_columns = ['product_id', 'competitor', 'seen_at', 'price', 'currency', 'in_stock'] -%}
{%- do require_currency('sample', 'EUR') -%}

with

raw_competitor_prices as (
    select * from {{ raw_table('sample', 'competitor_prices', raw_columns) }}
),

products as (
    select * from {{ ref('stg_sample__products') }}
),

currencies as (
    select * from {{ ref('currencies') }}
),

kept_products as (
    select product_id
    from products
    where rejection_reason is null
),

typed as (
    select
        {{ clean_text('product_id') }} as product_id,
        {{ clean_text('competitor') }} as competitor_name,
        {{ parse_timestamp('seen_at') }} as observed_at,
        {{ parse_amount('price') }} as price_amount,
        upper({{ clean_text('currency') }}) as currency_code,
        {{ parse_boolean('in_stock') }} as is_in_stock,
        {{ row_as_struct(raw_columns) }} as raw_row
    from raw_competitor_prices
),

judged as (
    select
        typed.*,
        case
            when typed.product_id is null or typed.competitor_name is null then 'missing_key'
            when {{ impossible_date('raw_row.seen_at', 'observed_at') }} then 'impossible_date'
            when {{ not_a_number('raw_row.price', 'price_amount') }} then 'not_a_number'
            when typed.price_amount < 0 then 'negative_price'
            when currencies.currency_code is null then 'unknown_currency'
            -- Only orders bring an exchange rate.
            when typed.currency_code <> '{{ var("martlet_currency") }}' then 'unknown_exchange_rate'
        end as own_reason
    from typed
    left join currencies on typed.currency_code = currencies.currency_code
),

versioned as (
    select
        *,
        {{ version_columns(
            ['product_id', 'competitor_name', 'observed_at'], 'observed_at'
        ) | indent(8) }}
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

competitor_prices as (
    select
        product_id,
        competitor_name,
        observed_at,
        price_amount,
        is_in_stock,
        {{ quarantine_columns(
            "product_id || '|' || competitor_name || '|' || raw_row.seen_at"
        ) | indent(8) }}
    from rejected
)

select * from competitor_prices
