with lines as (

    select * from {{ ref('stg_online_retail__lines') }}

),

countries as (

    select * from {{ ref('online_retail_countries') }}

),

customer_lines as (

    select
        customer_id,
        country_name,
        product_id,
        invoiced_at,
        -- A few customers moved: the last known country counts.
        row_number() over (
            partition by customer_id
            order by invoiced_at desc, line_id desc
        ) as lines_from_last
    from lines
    where
        customer_id is not null
        and rejection_reason is null

),

known_customers as (

    select
        customer_id,
        min(invoiced_at) as registered_at,
        max(case when lines_from_last = 1 then country_name end) as country_name,
        min(case when product_id like 'TEST%' then 1 else 0 end) = 1 as is_test
    from customer_lines
    group by customer_id

),

customers as (

    select
        known_customers.customer_id,
        cast(null as string) as email,
        known_customers.registered_at,
        countries.country_code,
        cast(null as string) as city,
        cast(null as string) as acquisition_channel,
        cast(null as string) as acquisition_campaign,
        cast(null as boolean) as accepts_marketing,
        known_customers.is_test,
        cast(null as timestamp) as updated_at,
        cast(null as string) as rejection_reason,
        known_customers.customer_id as source_key,
        cast(null as string) as source_row
    from known_customers
    left join countries on known_customers.country_name = countries.country_name

)

select * from customers
