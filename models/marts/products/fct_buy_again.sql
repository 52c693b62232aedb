with

lines as (
    select * from {{ ref('int_baskets__lines') }}
),

products as (
    select * from {{ ref('int_products__listed') }}
),

-- Two orders on one day are one purchase: gaps are never zero.
purchase_days as (
    select
        customer_id,
        product_id,
        basket_date,
        min(as_of_date) as as_of_date,
        lag(basket_date) over (
            partition by customer_id, product_id order by basket_date
        ) as previous_date
    from lines
    where customer_id is not null
    group by customer_id, product_id, basket_date
),

gaps as (
    select
        *,
        cast({{ days_between('previous_date', 'basket_date') }} as double) as gap_days
    from purchase_days
),

usual_gaps as (
    select
        product_id,
        median(gap_days) as product_interval_days
    from gaps
    where gap_days is not null
    group by product_id
),

repeated as (
    select
        customer_id,
        product_id,
        min(as_of_date) as as_of_date,
        count(*) as purchase_day_count,
        max(basket_date) as last_purchase_date,
        avg(gap_days) as mean_gap_days
    from gaps
    group by customer_id, product_id
    having count(*) > 1
),

-- Few gaps say little: the product's usual one counts like two of the customer's own.
expected as (
    select
        repeated.*,
        usual_gaps.product_interval_days,
        (
            repeated.mean_gap_days * (repeated.purchase_day_count - 1)
            + 2 * usual_gaps.product_interval_days
        ) / (repeated.purchase_day_count + 1) as interval_days
    from repeated
    inner join usual_gaps on repeated.product_id = usual_gaps.product_id
),

due as (
    select
        *,
        {{ date_add_days('last_purchase_date', 'round(interval_days)') }} as due_date
    from expected
),

judged as (
    select
        *,
        {{ days_between('due_date', 'as_of_date') }} as overdue_days
    from due
),

described as (
    select
        judged.customer_id,
        judged.product_id,
        judged.as_of_date,
        products.product_name,
        products.category,
        judged.purchase_day_count,
        judged.last_purchase_date,
        judged.mean_gap_days,
        judged.product_interval_days,
        judged.interval_days,
        judged.due_date,
        cast(judged.overdue_days as bigint) as overdue_days,
        case
            when judged.overdue_days > judged.interval_days then 'lapsed'
            when judged.overdue_days >= 0 then 'due'
            else 'later'
        end as purchase_status
    from judged
    left join products on judged.product_id = products.product_id
    where {{ can_be_sold('products') }}
)

select * from described
