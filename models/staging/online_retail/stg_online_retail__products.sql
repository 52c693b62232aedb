with lines as (

    select * from {{ ref('stg_online_retail__lines') }}

),

service_codes as (

    select * from {{ ref('online_retail_service_codes') }}

),

kept_lines as (

    select
        product_id,
        product_name,
        unit_price_amount,
        is_return
    from lines
    where rejection_reason is null

),

product_codes as (

    select distinct product_id from kept_lines

),

counted_names as (

    select
        product_id,
        product_name,
        row_number() over (
            partition by product_id
            order by count(*) desc, product_name asc
        ) as name_rank
    from kept_lines
    where product_name is not null
    group by product_id, product_name

),

counted_prices as (

    select
        product_id,
        unit_price_amount,
        row_number() over (
            partition by product_id
            order by count(*) desc, unit_price_amount desc
        ) as price_rank
    from kept_lines
    where not is_return
    group by product_id, unit_price_amount

),

products as (

    select
        product_codes.product_id,
        counted_names.product_name,
        cast(null as string) as product_description,
        case when service_codes.stock_code_pattern is not null then 'service' end as category,
        service_codes.service_kind as subcategory,
        cast(null as string) as brand,
        case
            when service_codes.stock_code_pattern is null then counted_prices.unit_price_amount
        end as list_price_amount,
        cast(null as decimal(18, 4)) as unit_cost_amount,
        cast(null as timestamp) as launched_at,
        true as is_active,
        cast(null as string) as rejection_reason,
        product_codes.product_id as source_key,
        cast(null as string) as source_row
    from product_codes
    left join counted_names
        on
        product_codes.product_id = counted_names.product_id
        and counted_names.name_rank = 1
    left join counted_prices
        on
        product_codes.product_id = counted_prices.product_id
        and counted_prices.price_rank = 1
    left join service_codes
        on product_codes.product_id like service_codes.stock_code_pattern

)

select * from products
