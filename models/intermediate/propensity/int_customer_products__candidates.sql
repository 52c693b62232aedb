{%- set cap = var('martlet_propensity_candidates') -%}
with

asked as (
    select * from {{ ref('int_customers__asked_for_propensity') }}
),

purchased as (
    select * from {{ ref('int_customer_products__purchased') }}
),

browsed as (
    select * from {{ ref('int_customer_products__browsed') }}
),

all_transitions as (
    select * from {{ ref('int_products__transitions_by_as_of_date') }}
),

all_sales as (
    select * from {{ ref('int_products__sales_by_as_of_date') }}
),

-- Numbers are grouped and sorted faster than texts; they go on in the order of the ids.
customers as (
    select
        as_of_date,
        customer_id,
        cast(row_number() over (order by as_of_date, customer_id) as integer) as customer_number
    from asked
),

products as (
    select
        product_id,
        cast(row_number() over (order by product_id) as integer) as product_number
    from (
        select product_id from all_sales
        union
        select product_id from browsed
    ) as named
),

sales as (
    select
        all_sales.as_of_date,
        products.product_number,
        all_sales.category,
        all_sales.popularity_rank,
        all_sales.category_rank
    from all_sales
    inner join products on all_sales.product_id = products.product_id
),

transitions as (
    select
        all_transitions.as_of_date,
        products.product_number,
        next_products.product_number as next_product_number,
        all_transitions.transition_weight
    from all_transitions
    inner join products on all_transitions.product_id = products.product_id
    inner join products as next_products
        on all_transitions.next_product_id = next_products.product_id
),

histories as (
    select
        customers.as_of_date,
        customers.customer_number,
        products.product_number,
        purchased.later_order_day_count,
        purchased.purchase_day_count,
        power(0.8, purchased.later_order_day_count) as recency_weight
    from purchased
    inner join customers
        on purchased.as_of_date = customers.as_of_date
        and purchased.customer_id = customers.customer_id
    inner join products on purchased.product_id = products.product_id
),

bought as (
    select
        as_of_date,
        customer_number,
        product_number,
        purchase_day_count,
        recency_weight / round(sum(recency_weight) over (partition by customer_number), 9)
            as recency_share,
        row_number() over (
            partition by customer_number
            order by later_order_day_count, purchase_day_count desc, product_number
        ) as source_rank
    from histories
),

looked_at as (
    select
        customers.customer_number,
        products.product_number,
        row_number() over (
            partition by customers.customer_number
            order by
                browsed.cart_add_count_30_days desc, browsed.wishlist_add_count_30_days desc,
                browsed.view_count_30_days desc, browsed.last_browsed_date desc,
                products.product_number
        ) as source_rank
    from browsed
    inner join customers
        on browsed.as_of_date = customers.as_of_date
        and browsed.customer_id = customers.customer_id
    inner join products on browsed.product_id = products.product_id
),

-- What followed the customer's latest products, in other customers' orders. Rounded, because the
-- last digit of a sum depends on the order of the rows.
near as (
    select
        bought.customer_number,
        transitions.next_product_number as product_number,
        round(sum(bought.recency_share * transitions.transition_weight), 12) as transition_score
    from bought
    inner join transitions
        on bought.as_of_date = transitions.as_of_date
        and bought.product_number = transitions.product_number
    where bought.source_rank <= 30
    group by bought.customer_number, transitions.next_product_number
),

floors as (
    select
        customer_number,
        {{ floor_of_greatest('transition_score', cap) }} as least_score
    from near
    group by customer_number
),

followed as (
    select
        near.*,
        row_number() over (
            partition by near.customer_number
            order by near.transition_score desc, near.product_number
        ) as source_rank
    from near
    inner join floors on near.customer_number = floors.customer_number
    where near.transition_score >= floors.least_score
),

tastes as (
    select
        bought.as_of_date,
        bought.customer_number,
        sales.category,
        row_number() over (
            partition by bought.customer_number
            order by sum(bought.purchase_day_count) desc, sales.category
        ) as category_place
    from bought
    inner join sales
        on bought.as_of_date = sales.as_of_date and bought.product_number = sales.product_number
    where sales.category is not null
    group by bought.as_of_date, bought.customer_number, sales.category
),

liked as (
    select
        tastes.customer_number,
        sales.product_number,
        (sales.category_rank - 1) * 3 + tastes.category_place as source_rank
    from tastes
    inner join sales
        on tastes.as_of_date = sales.as_of_date and tastes.category = sales.category
    where tastes.category_place <= 3 and sales.category_rank <= {{ cap }} / 3 + 1
),

popular as (
    select
        customers.customer_number,
        sales.product_number,
        sales.popularity_rank as source_rank
    from customers
    inner join sales on customers.as_of_date = sales.as_of_date
    where sales.popularity_rank <= {{ cap }}
),

-- The number of the source is the last digit of its rank: one key to sort by.
sources as (
    {% for source in ['bought', 'looked_at', 'followed', 'liked', 'popular'] %}
        select
            customer_number,
            product_number,
            cast(source_rank * 10 + {{ loop.index }} as integer) as source_key
        from {{ source }}
        where source_rank <= {{ cap }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

gathered as (
    select
        customer_number,
        product_number,
        min(source_key) as source_key
    from sources
    group by customer_number, product_number
),

-- The best of each source first, until the customer's places are taken.
ranked as (
    select
        customer_number,
        product_number,
        source_key,
        row_number() over (
            partition by customer_number order by source_key, product_number
        ) as candidate_rank
    from gathered
),

candidates as (
    select
        customers.as_of_date,
        customers.customer_id,
        products.product_id,
        cast(ranked.candidate_rank as integer) as candidate_rank,
        case ranked.source_key % 10
            when 1 then 'bought'
            when 2 then 'looked_at'
            when 3 then 'followed'
            when 4 then 'category'
            else 'popular'
        end as candidate_source,
        coalesce(near.transition_score, 0) as transition_score
    from ranked
    inner join customers on ranked.customer_number = customers.customer_number
    inner join products on ranked.product_number = products.product_number
    left join near
        on ranked.customer_number = near.customer_number
        and ranked.product_number = near.product_number
    where ranked.candidate_rank <= {{ cap }}
)

select * from candidates
