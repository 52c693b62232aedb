{%- set raw_columns = [
    'product_id', 'title', 'description', 'category', 'subcategory', 'brand', 'list_price',
    'unit_cost', 'currency', 'created_at', 'status',
] -%}
{%- do require_currency('sample', 'EUR') -%}

with

raw_products as (
    select * from {{ raw_table('sample', 'products', raw_columns) }}
),

currencies as (
    select * from {{ ref('currencies') }}
),

typed as (
    select
        {{ clean_text('product_id') }} as product_id,
        {{ clean_text('title') }} as product_name,
        {{ clean_text('description') }} as product_description,
        {{ clean_text('category') }} as category,
        {{ clean_text('subcategory') }} as subcategory,
        {{ clean_text('brand') }} as brand,
        {{ parse_amount('list_price') }} as list_price_amount,
        {{ parse_amount('unit_cost') }} as unit_cost_amount,
        coalesce(
            upper({{ clean_text('currency') }}), '{{ var("martlet_currency") }}'
        ) as currency_code,
        {{ parse_timestamp('created_at') }} as launched_at,
        coalesce({{ clean_code('status') }}, 'active') as product_status,
        {{ row_as_struct(raw_columns) }} as raw_row
    from raw_products
),

judged as (
    select
        typed.*,
        case
            when typed.product_id is null then 'missing_key'
            when
                {{ impossible_date('raw_row.created_at', 'launched_at', required=false) }}
                then 'impossible_date'
            when
                {{ not_a_number('raw_row.list_price', 'list_price_amount', required=false) }}
                or {{ not_a_number('raw_row.unit_cost', 'unit_cost_amount', required=false) }}
                then 'not_a_number'
            when typed.list_price_amount < 0 or typed.unit_cost_amount < 0 then 'negative_price'
            when currencies.currency_code is null then 'unknown_currency'
            -- Only orders bring an exchange rate.
            when typed.currency_code <> '{{ var("martlet_currency") }}' then 'unknown_exchange_rate'
        end as own_reason
    from typed
    left join currencies on typed.currency_code = currencies.currency_code
),

-- The table does not say when a row was exported: of two versions one is taken by content.
versioned as (
    select
        *,
        {{ version_columns(['product_id'], 'launched_at') | indent(8) }}
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

-- "tents" is "Tents": capitals sort before small letters, so the least spelling has the capital.
products as (
    select
        product_id,
        product_name,
        product_description,
        min(category) over (partition by lower(category)) as category,
        min(subcategory) over (partition by lower(subcategory)) as subcategory,
        min(brand) over (partition by lower(brand)) as brand,
        list_price_amount,
        unit_cost_amount,
        launched_at,
        product_status not in (
            'archived', 'draft', 'inactive', 'discontinued', 'deleted'
        ) as is_active,
        {{ quarantine_columns('product_id') | indent(8) }}
    from rejected
)

select * from products
