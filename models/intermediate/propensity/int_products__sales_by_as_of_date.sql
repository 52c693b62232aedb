with

order_items as (
    select * from {{ ref('int_order_items__enriched') }}
),

orders as (
    select * from {{ ref('int_orders__enriched') }}
),

products as (
    select * from {{ ref('int_products__listed') }}
),

purchased as (
    select * from {{ ref('int_customer_products__purchased') }}
),

cutoffs as (
    select * from {{ ref('int_as_of_dates__split_for_propensity') }}
),

-- The days between purchases of it by one customer, as far as known: the mean over customers of
-- their mean gap.
gaps as (
    select
        as_of_date,
        product_id,
        count(*) as customer_count,
        count(case when purchase_day_count > 1 then 1 end) as repeat_customer_count,
        min(first_purchase_date) as first_sold_date,
        -- Rounded, because the last digit of a sum depends on the order of the rows.
        round(avg(
            cast({{ days_between('first_purchase_date', 'last_purchase_date') }} as double)
            / nullif(purchase_day_count - 1, 0)
        ), 9) as usual_gap_days
    from purchased
    group by as_of_date, product_id
),

recent as (
    select
        cutoffs.as_of_date,
        order_items.product_id,
        count(distinct orders.customer_id) as customer_count_90_days,
        count(distinct case
            when
                orders.order_date >= {{ date_add_days('cutoffs.as_of_date', -30) }}
                then orders.customer_id
        end) as customer_count_30_days,
        cast(sum(order_items.goods_amount) as double)
        / nullif(sum(order_items.quantity), 0) as unit_amount
    from orders
    inner join order_items on orders.order_id = order_items.order_id
    inner join cutoffs
        on orders.order_date < cutoffs.as_of_date
        and orders.order_date >= {{ date_add_days('cutoffs.as_of_date', -90) }}
        and (orders.cancelled_date is null or orders.cancelled_date >= cutoffs.as_of_date)
    where not orders.is_test and order_items.product_id is not null
    group by cutoffs.as_of_date, order_items.product_id
),

buyers as (
    select
        cutoffs.as_of_date,
        count(distinct orders.customer_id) as buyer_count_90_days
    from orders
    inner join cutoffs
        on orders.order_date < cutoffs.as_of_date
        and orders.order_date >= {{ date_add_days('cutoffs.as_of_date', -90) }}
        and (orders.cancelled_date is null or orders.cancelled_date >= cutoffs.as_of_date)
    where not orders.is_test
    group by cutoffs.as_of_date
),

sales as (
    select
        gaps.as_of_date,
        gaps.product_id,
        products.category,
        gaps.customer_count,
        cast(gaps.repeat_customer_count as double) / gaps.customer_count as repeat_customer_share,
        gaps.first_sold_date,
        gaps.usual_gap_days,
        recent.unit_amount,
        cast(coalesce(recent.customer_count_90_days, 0) as double)
        / nullif(buyers.buyer_count_90_days, 0) as buyer_share_90_days,
        cast(recent.customer_count_30_days as double)
        / nullif(recent.customer_count_90_days, 0) as recent_buyer_share,
        row_number() over (
            partition by gaps.as_of_date
            order by
                coalesce(recent.customer_count_90_days, 0) desc, gaps.customer_count desc,
                gaps.product_id
        ) as popularity_rank,
        row_number() over (
            partition by gaps.as_of_date, products.category
            order by
                coalesce(recent.customer_count_90_days, 0) desc, gaps.customer_count desc,
                gaps.product_id
        ) as category_rank
    from gaps
    left join recent
        on gaps.as_of_date = recent.as_of_date and gaps.product_id = recent.product_id
    left join buyers on gaps.as_of_date = buyers.as_of_date
    left join products on gaps.product_id = products.product_id
)

select * from sales
