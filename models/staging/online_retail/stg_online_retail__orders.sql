with lines as (

    select * from {{ ref('stg_online_retail__lines') }}

),

countries as (

    select * from {{ ref('online_retail_countries') }}

),

invoices as (

    select
        invoice_id,
        -- All lines of an invoice have one customer and one country.
        max(customer_id) as customer_id,
        max(country_name) as country_name,
        -- Some invoices were typed over the turn of a minute.
        min(invoiced_at) as ordered_at,
        sum(line_amount) as items_amount,
        min(case when product_id like 'TEST%' then 1 else 0 end) = 1 as is_test
    from lines
    where
        not is_return
        and rejection_reason is null
    group by invoice_id

),

orders as (

    select
        invoices.invoice_id as order_id,
        invoices.customer_id,
        invoices.ordered_at,
        'completed' as order_status,
        invoices.is_test,
        false as is_cancelled,
        cast(null as timestamp) as cancelled_at,
        'GBP' as currency_code,
        cast(1 as double) as exchange_rate,
        invoices.items_amount,
        cast(0 as decimal(18, 4)) as discount_amount,
        cast(0 as decimal(18, 4)) as shipping_amount,
        cast(0 as decimal(18, 4)) as tax_amount,
        invoices.items_amount as total_amount,
        cast(null as string) as coupon_code,
        cast(null as string) as acquisition_channel,
        cast(null as string) as visitor_id,
        cast(null as string) as ip_address,
        cast(null as string) as device_id,
        cast(null as string) as email,
        countries.country_code as billing_country_code,
        countries.country_code as shipping_country_code,
        cast(null as timestamp) as updated_at,
        cast(null as string) as rejection_reason,
        invoices.invoice_id as source_key,
        cast(null as string) as source_row
    from invoices
    left join countries on invoices.country_name = countries.country_name

)

select * from orders
