with

customers as (
    select * from {{ ref('int_customers__listed') }}
),

cohorts as (
    select * from {{ ref('int_customers__cohorts') }}
),

lifetime_value as (
    select * from {{ ref('fct_customer_lifetime_value') }}
),

rfm as (
    select * from {{ ref('fct_customer_rfm') }}
),

current_value as (
    select * from lifetime_value
    where is_current
),

current_rfm as (
    select * from rfm
    where is_current
),

described as (
    select
        customers.customer_id,
        {{ keyed_hash('customers.email') }} as email_hash,
        customers.is_test,
        customers.is_registered,
        customers.registered_at,
        customers.country_code,
        customers.city,
        customers.acquisition_channel,
        customers.acquisition_campaign,
        customers.accepts_marketing,
        cohorts.cohort_month,
        cohorts.first_order_id,
        current_value.first_order_date,
        current_value.last_order_date,
        coalesce(current_value.order_count, 0) as order_count,
        cast(coalesce(current_value.gross_revenue_amount, 0) as decimal(18, 4))
            as gross_revenue_amount,
        cast(coalesce(current_value.returned_amount, 0) as decimal(18, 4)) as returned_amount,
        cast(coalesce(current_value.net_revenue_amount, 0) as decimal(18, 4))
            as net_revenue_amount,
        current_value.margin_amount,
        current_value.average_order_amount,
        current_value.value_decile,
        current_rfm.rfm_score,
        current_rfm.rfm_segment
    from customers
    left join cohorts on customers.customer_id = cohorts.customer_id
    left join current_value on customers.customer_id = current_value.customer_id
    left join current_rfm on customers.customer_id = current_rfm.customer_id
)

select * from described
