with

purchases as (
    select * from {{ ref('ml_recommendations__training_set') }}
),

customers as (
    select * from {{ ref('shop_customers') }}
),

current_date_of_data as (
    select as_of_date
    from {{ ref('int_as_of_dates__spine') }}
    where is_current
),

bought as (
    select
        customer_id,
        count(*) as purchase_count,
        -- Two numbers of thirty bits: that both stay the same by chance is one in 10^18.
        {{ row_checksum(['customer_id', 'product_id', 'basket_at']) }} as first_checksum,
        {{ row_checksum(['basket_at', 'product_id', 'customer_id']) }} as second_checksum
    from purchases
    group by customer_id
),

registered as (
    select customers.customer_id
    from customers
    cross join current_date_of_data
    where
        not customers.is_test
        and cast(customers.registered_at as date) < current_date_of_data.as_of_date
),

histories as (
    select
        coalesce(bought.customer_id, registered.customer_id) as customer_id,
        current_date_of_data.as_of_date,
        coalesce(bought.purchase_count, 0) as purchase_count,
        concat(
            coalesce(bought.customer_id, registered.customer_id), ' ',
            cast(coalesce(bought.purchase_count, 0) as {{ dbt.type_string() }}), ' ',
            cast(coalesce(bought.first_checksum, 0) as {{ dbt.type_string() }}), ' ',
            cast(coalesce(bought.second_checksum, 0) as {{ dbt.type_string() }})
        ) as history_key
    from bought
    full outer join registered on bought.customer_id = registered.customer_id
    cross join current_date_of_data
)

select * from histories
