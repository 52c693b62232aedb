with

candidates as (
    select * from {{ ref('int_customer_products__candidates') }}
),

customers as (
    select * from {{ ref('int_customers__asked_for_propensity') }}
),

purchased as (
    select * from {{ ref('int_customer_products__purchased') }}
),

browsed as (
    select * from {{ ref('int_customer_products__browsed') }}
),

sales as (
    select * from {{ ref('int_products__sales_by_as_of_date') }}
),

product_vectors as (
    select
        item_id,
        factors
    from {{ ml_part(ref('ml_propensity__factors_fit'), 'items') }}
),

recorded as (
    select {{ local_date('min(event_at)') }} as recorded_from
    from {{ ref('shop_events') }}
),

cutoffs as (
    select * from {{ ref('int_as_of_dates__split_for_propensity') }}
),

-- Most customers buy nothing between two dates: one history, one vector.
signed as (
    select
        as_of_date,
        customer_id,
        count(*) as product_count,
        sum(purchase_day_count) as purchase_day_count,
        {{ row_checksum(['product_id', 'purchase_day_count']) }} as history_checksum
    from purchased
    group by as_of_date, customer_id
),

known as (
    select
        as_of_date,
        customer_id,
        min(as_of_date) over (
            partition by customer_id, product_count, purchase_day_count, history_checksum
        ) as known_from
    from signed
),

-- The customers as they were on each date, one after the other, in the space of products that was
-- learned before the first of them.
histories as (
    select
        concat(
            cast(purchased.as_of_date as {{ dbt.type_string() }}), ' ', purchased.customer_id
        ) as customer_id,
        purchased.product_id,
        purchased.purchase_day_count
    from purchased
    inner join known
        on purchased.as_of_date = known.as_of_date and purchased.customer_id = known.customer_id
    where known.as_of_date = known.known_from
),

folded as (
    select * from {{
        ml_stored_function(ref('ml_propensity__factors_fit'), 'fold_in', 'histories')
    }}
),

customer_vectors as (
    select
        known.as_of_date,
        known.customer_id,
        folded.factors
    from known
    inner join folded
        on folded.customer_id
        = concat(cast(known.known_from as {{ dbt.type_string() }}), ' ', known.customer_id)
),

category_histories as (
    select
        purchased.as_of_date,
        purchased.customer_id,
        sales.category,
        cast(sum(purchased.purchase_day_count) as double) as purchase_count,
        max(purchased.last_purchase_date) as last_purchase_date
    from purchased
    inner join sales
        on purchased.as_of_date = sales.as_of_date and purchased.product_id = sales.product_id
    group by purchased.as_of_date, purchased.customer_id, sales.category
),

-- Few gaps say little: the product's usual one counts like two of the customer's own.
intervals as (
    select
        purchased.*,
        (
            cast({{ days_between(
                'purchased.first_purchase_date', 'purchased.last_purchase_date'
            ) }} as double)
            + 2 * sales.usual_gap_days
        ) / (purchased.purchase_day_count + 1) as interval_days
    from purchased
    inner join sales
        on purchased.as_of_date = sales.as_of_date and purchased.product_id = sales.product_id
),

joined as (
    select
        candidates.customer_id,
        candidates.product_id,
        candidates.as_of_date,
        cutoffs.cutoff_role,
        customers.cold_start_level,
        candidates.candidate_source,
        intervals.product_id is not null as is_bought_before,
        coalesce(intervals.purchase_day_count, 0) as purchase_day_count,
        cast({{ days_between('intervals.last_purchase_date', 'candidates.as_of_date') }} as integer)
            as days_since_purchase,
        intervals.later_order_day_count,
        cast(intervals.purchase_day_count as double)
        / nullif(customers.order_day_count, 0) as order_day_share,
        intervals.interval_days,
        coalesce(candidates.transition_score, 0) as transition_score,
        case
            when customers.order_day_count is not null
                then {{ inner_product('customer_vectors.factors', 'product_vectors.factors') }}
        end as factor_score,
        category_histories.purchase_count / nullif(customers.line_count, 0) as category_share,
        cast({{ days_between(
            'category_histories.last_purchase_date', 'candidates.as_of_date'
        ) }} as integer) as days_since_category_purchase,
        case
            when recorded.recorded_from <= {{ date_add_days('candidates.as_of_date', -30) }}
                then 0
        end as recorded_zero,
        browsed.view_count_30_days,
        browsed.cart_add_count_30_days,
        browsed.wishlist_add_count_30_days,
        customers.customer_view_count_30_days,
        cast({{ days_between('browsed.last_browsed_date', 'candidates.as_of_date') }} as integer)
            as days_since_browsed,
        sales.unit_amount,
        sales.unit_amount / nullif(customers.mean_unit_amount, 0) as unit_amount_ratio,
        coalesce(sales.buyer_share_90_days, 0) as buyer_share_90_days,
        sales.recent_buyer_share,
        sales.repeat_customer_share,
        sales.usual_gap_days,
        cast({{ days_between('sales.first_sold_date', 'candidates.as_of_date') }} as integer)
            as days_on_sale,
        customers.tenure_days,
        coalesce(customers.order_day_count, 0) as order_day_count,
        customers.customer_recency_days,
        customers.customer_gap_days,
        coalesce(customers.product_count, 0) as product_count,
        customers.repeat_product_share,
        customers.mean_line_count
    from candidates
    inner join cutoffs on candidates.as_of_date = cutoffs.as_of_date
    inner join customers
        on candidates.as_of_date = customers.as_of_date
        and candidates.customer_id = customers.customer_id
    cross join recorded
    left join intervals
        on candidates.as_of_date = intervals.as_of_date
        and candidates.customer_id = intervals.customer_id
        and candidates.product_id = intervals.product_id
    left join browsed
        on candidates.as_of_date = browsed.as_of_date
        and candidates.customer_id = browsed.customer_id
        and candidates.product_id = browsed.product_id
    left join sales
        on candidates.as_of_date = sales.as_of_date
        and candidates.product_id = sales.product_id
    left join category_histories
        on candidates.as_of_date = category_histories.as_of_date
        and candidates.customer_id = category_histories.customer_id
        and sales.category = category_histories.category
    left join customer_vectors
        on candidates.as_of_date = customer_vectors.as_of_date
        and candidates.customer_id = customer_vectors.customer_id
    left join product_vectors on candidates.product_id = product_vectors.item_id
),

features as (
    select
        customer_id,
        product_id,
        as_of_date,
        cutoff_role,
        cold_start_level,
        candidate_source,
        is_bought_before,
        purchase_day_count,
        days_since_purchase,
        later_order_day_count,
        order_day_share,
        interval_days,
        days_since_purchase / nullif(interval_days, 0) as interval_ratio,
        transition_score,
        cast(factor_score as double) as factor_score,
        category_share,
        days_since_category_purchase,
        coalesce(view_count_30_days, recorded_zero) as view_count_30_days,
        coalesce(cart_add_count_30_days, recorded_zero) as cart_add_count_30_days,
        coalesce(wishlist_add_count_30_days, recorded_zero) as wishlist_add_count_30_days,
        coalesce(customer_view_count_30_days, recorded_zero) as customer_view_count_30_days,
        days_since_browsed,
        unit_amount,
        unit_amount_ratio,
        buyer_share_90_days,
        recent_buyer_share,
        repeat_customer_share,
        usual_gap_days,
        days_on_sale,
        tenure_days,
        order_day_count,
        customer_recency_days,
        customer_gap_days,
        customer_recency_days / nullif(customer_gap_days, 0) as customer_recency_gap_ratio,
        product_count,
        repeat_product_share,
        mean_line_count
    from joined
)

select * from features
