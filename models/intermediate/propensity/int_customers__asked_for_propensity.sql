with

customers as (
    select * from {{ ref('int_customers__listed') }}
),

cutoffs as (
    select * from {{ ref('int_as_of_dates__split_for_propensity') }}
),

purchased as (
    select * from {{ ref('int_customer_products__purchased') }}
),

browsed as (
    select * from {{ ref('int_customer_products__browsed') }}
),

known as (
    select
        cutoffs.as_of_date,
        customers.customer_id,
        {{ days_between(local_date('customers.registered_at'), 'cutoffs.as_of_date') }}
            as tenure_days
    from customers
    inner join cutoffs
        on {{ local_date('customers.registered_at') }} < cutoffs.as_of_date
    where not customers.is_test
),

histories as (
    select
        as_of_date,
        customer_id,
        count(*) as product_count,
        max(last_purchase_date) as last_order_date,
        min(first_purchase_date) as first_order_date,
        max(later_order_day_count) + 1 as order_day_count,
        cast(count(case when purchase_day_count > 1 then 1 end) as double) / count(*)
            as repeat_product_share,
        cast(sum(spend_amount) as double) / nullif(sum(quantity), 0) as mean_unit_amount,
        cast(sum(purchase_day_count) as double) as line_count
    from purchased
    group by as_of_date, customer_id
),

browsers as (
    select
        as_of_date,
        customer_id,
        sum(view_count_30_days) as view_count_30_days
    from browsed
    group by as_of_date, customer_id
),

-- Who bought, came by or signed up not too long ago.
asked as (
    select
        known.as_of_date,
        known.customer_id,
        cast(known.tenure_days as integer) as tenure_days,
        histories.last_order_date,
        cast({{ days_between('histories.last_order_date', 'known.as_of_date') }} as integer)
            as customer_recency_days,
        cast(histories.order_day_count as integer) as order_day_count,
        cast({{ days_between(
            'histories.first_order_date', 'histories.last_order_date'
        ) }} as double) / nullif(histories.order_day_count - 1, 0) as customer_gap_days,
        cast(histories.product_count as integer) as product_count,
        histories.repeat_product_share,
        histories.mean_unit_amount,
        histories.line_count / nullif(histories.order_day_count, 0) as mean_line_count,
        histories.line_count,
        cast(browsers.view_count_30_days as integer) as customer_view_count_30_days,
        case
            when histories.customer_id is not null then 'history'
            when browsers.customer_id is not null then 'browsing'
            else 'no_history'
        end as cold_start_level
    from known
    left join histories
        on known.as_of_date = histories.as_of_date and known.customer_id = histories.customer_id
    left join browsers
        on known.as_of_date = browsers.as_of_date and known.customer_id = browsers.customer_id
    where
        browsers.customer_id is not null
        or coalesce(
            {{ days_between('histories.last_order_date', 'known.as_of_date') }}, known.tenure_days
        ) <= {{ var('martlet_churn_active_days') }}
)

select * from asked
