{#- The cut-offs by place: columns of one pass over the pairs of purchases, which are nearly the
    same for all of them. There are at most five: three that train, the test and today. -#}
{%- set places = range(1, 6) -%}
{%- set kept = 20 -%}
{%- set decay = 'cast(' ~ var('martlet_sequence_decay') ~ ' as double)' -%}
with

order_items as (
    select * from {{ ref('int_order_items__enriched') }}
),

all_orders as (
    select * from {{ ref('int_orders__enriched') }}
),

placed as (
    select
        as_of_date,
        row_number() over (order by as_of_date) as place
    from {{ ref('int_as_of_dates__split_for_propensity') }}
),

cutoffs as (
    select
        {%- for place in places %}
            max(case when place = {{ place }} then as_of_date end) as cutoff_{{ place }},
        {%- endfor %}
        count(*) as cutoff_count
    from placed
),

-- A year of what was known on each day.
orders as (
    select
        {%- for place in places %}
            case
                when
                    all_orders.order_date < cutoffs.cutoff_{{ place }}
                    and all_orders.order_date
                    >= {{ date_add_days('cutoffs.cutoff_' ~ place, -365) }}
                    and (
                        all_orders.cancelled_date is null
                        or all_orders.cancelled_date >= cutoffs.cutoff_{{ place }}
                    )
                    then 1
                else 0
            end as is_known_{{ place }},
        {%- endfor %}
        all_orders.order_id,
        all_orders.customer_id,
        all_orders.order_date
    from all_orders
    cross join cutoffs
    where not all_orders.is_test and all_orders.customer_id is not null
),

lines as (
    select
        {%- for place in places %}
            max(orders.is_known_{{ place }}) as is_known_{{ place }},
        {%- endfor %}
        orders.customer_id,
        orders.order_date,
        order_items.product_id
    from orders
    inner join order_items on orders.order_id = order_items.order_id
    where order_items.product_id is not null
    group by orders.customer_id, orders.order_date, order_items.product_id
),

-- A customer without bounds would pair every line with every later one.
bounded as (
    select
        {%- for place in places %}
            case
                when
                    sum(is_known_{{ place }})
                    <= 2 * {{ var('martlet_sequence_max_products') }}
                    then 1
                else 0
            end as is_bounded_{{ place }},
        {%- endfor %}
        customer_id
    from lines
    group by customer_id
),

-- Numbers are compared faster than texts, and pairs of purchases are many.
products as (
    select
        product_id,
        cast(row_number() over (order by product_id) as integer) as product_number
    from (select distinct product_id from lines) as named
),

purchases as (
    select
        {%- for place in places %}
            lines.is_known_{{ place }} * bounded.is_bounded_{{ place }} as is_known_{{ place }},
        {%- endfor %}
        lines.customer_id,
        lines.order_date,
        products.product_number
    from lines
    inner join bounded on lines.customer_id = bounded.customer_id
    inner join products on lines.product_id = products.product_id
),

purchase_counts as (
    select
        {%- for place in places %}
            cast(sum(is_known_{{ place }}) as double) as purchase_count_{{ place }},
        {%- endfor %}
        product_number
    from purchases
    group by product_number
),

-- Known on the day of some cut-off. Two steps, because Spark takes a name of the select in
-- `having` for what is selected.
all_days as (
    select
        {%- for place in places %}
            max(is_known_{{ place }}) as is_known_{{ place }},
        {%- endfor %}
        customer_id,
        order_date
    from purchases
    group by customer_id, order_date
),

order_days as (
    select *
    from all_days
    where
        {%- for place in places %}
            {{ 'or ' if not loop.first }}is_known_{{ place }} = 1
        {%- endfor %}
),

numbered as (
    select
        {%- for place in places %}
            sum(is_known_{{ place }}) over (
                partition by customer_id order by order_date
            ) as order_number_{{ place }},
        {%- endfor %}
        *,
        cast(row_number() over (order by customer_id, order_date) as integer) as day_number
    from order_days
),

-- Days are few, lines are many: what a pair counts is worked out for days.
day_pairs as (
    select
        {%- for place in places %}
            case
                when earlier.is_known_{{ place }} = 1 and later.is_known_{{ place }} = 1
                    then later.order_number_{{ place }} - earlier.order_number_{{ place }}
            end as gap_{{ place }},
        {%- endfor %}
        earlier.day_number,
        later.day_number as next_day_number
    from numbered as earlier
    inner join numbered as later
        on
        earlier.customer_id = later.customer_id
        and earlier.order_date < later.order_date
),

decayed as (
    select
        {%- for place in places %}
            case
                when gap_{{ place }} <= {{ var('martlet_sequence_max_gap') }}
                    then power({{ decay }}, gap_{{ place }} - 1)
                else 0
            end as decay_{{ place }},
        {%- endfor %}
        day_number,
        next_day_number
    from day_pairs
),

steps as (
    select *
    from decayed
    where
        {%- for place in places %}
            {{ 'or ' if not loop.first }}decay_{{ place }} > 0
        {%- endfor %}
),

day_lines as (
    select
        {%- for place in places %}
            cast(purchases.is_known_{{ place }} as double) as is_known_{{ place }},
        {%- endfor %}
        numbered.day_number,
        purchases.product_number
    from purchases
    inner join numbered
        on
        purchases.customer_id = numbered.customer_id
        and purchases.order_date = numbered.order_date
),

followed as (
    select
        -- Rounded, because the last digit of a sum depends on the order of the rows.
        {%- for place in places %}
            round(sum(
                steps.decay_{{ place }}
                * earlier.is_known_{{ place }} * later.is_known_{{ place }}
            ), 9) as decayed_count_{{ place }},
        {%- endfor %}
        earlier.product_number,
        later.product_number as next_product_number
    from day_lines as earlier
    inner join steps on earlier.day_number = steps.day_number
    inner join day_lines as later on steps.next_day_number = later.day_number
    group by earlier.product_number, later.product_number
),

-- Five more purchases in each product: what was seen once by chance is no neighbour.
weighed as (
    select
        {%- for place in places %}
            followed.decayed_count_{{ place }} / (5 + sqrt(
                purchase_counts.purchase_count_{{ place }}
                * next_counts.purchase_count_{{ place }}
            )) as transition_weight_{{ place }},
        {%- endfor %}
        followed.product_number,
        followed.next_product_number
    from followed
    inner join purchase_counts on followed.product_number = purchase_counts.product_number
    inner join purchase_counts as next_counts
        on followed.next_product_number = next_counts.product_number
),

floors as (
    select
        {%- for place in places %}
            {{ floor_of_greatest('transition_weight_' ~ place, kept) }} as least_{{ place }},
        {%- endfor %}
        product_number
    from weighed
    group by product_number
),

strongest as (
    {%- for place in places %}
        select
            cutoffs.cutoff_{{ place }} as as_of_date,
            weighed.product_number,
            weighed.next_product_number,
            weighed.transition_weight_{{ place }} as transition_weight
        from weighed
        inner join floors on weighed.product_number = floors.product_number
        cross join cutoffs
        where
            weighed.transition_weight_{{ place }} >= floors.least_{{ place }}
            and weighed.transition_weight_{{ place }} > 0
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

ranked as (
    select
        *,
        row_number() over (
            partition by as_of_date, product_number
            order by transition_weight desc, next_product_number
        ) as transition_rank
    from strongest
),

transitions as (
    select
        ranked.as_of_date,
        products.product_id,
        next_products.product_id as next_product_id,
        ranked.transition_weight,
        cast(ranked.transition_rank as integer) as transition_rank
    from ranked
    inner join products on ranked.product_number = products.product_number
    inner join products as next_products
        on ranked.next_product_number = next_products.product_number
    where ranked.transition_rank <= {{ kept }}
)

select * from transitions
