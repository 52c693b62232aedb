with

customers as (
    select * from {{ ref('shop_customers') }}
),

orders as (
    select * from {{ ref('shop_orders') }}
),

returns as (
    select * from {{ ref('shop_returns') }}
),

seen_in_facts as (
    select
        customer_id,
        ordered_at as seen_at
    from orders
    where customer_id is not null
    union all
    select
        customer_id,
        returned_at as seen_at
    from returns
    where customer_id is not null
),

first_seen as (
    select
        customer_id,
        min(seen_at) as first_seen_at
    from seen_in_facts
    group by customer_id
),

-- Not every source has a customer table, and not every customer table is complete.
listed as (
    select
        coalesce(customers.customer_id, first_seen.customer_id) as customer_id,
        customers.customer_id is not null as is_registered,
        customers.email,
        coalesce(customers.registered_at, first_seen.first_seen_at) as registered_at,
        customers.country_code,
        customers.city,
        customers.acquisition_channel,
        customers.acquisition_campaign,
        customers.accepts_marketing,
        coalesce(customers.is_test, false) as is_test
    from customers
    full outer join first_seen on customers.customer_id = first_seen.customer_id
)

select * from listed
