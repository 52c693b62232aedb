{# Days of the window that is looked at, and of the one before it that says what is usual. #}
{% set recent_days = 28 %}
{% set base_days = 112 %}

with

lines as (
    select * from {{ ref('int_baskets__lines') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

products as (
    select * from {{ ref('int_products__listed') }}
),

stock_levels as (
    select * from {{ ref('shop_stock_levels') }}
),

days_sold as (
    select
        product_id,
        basket_date,
        count(*) as order_count
    from lines
    group by product_id, basket_date
),

shop_span as (
    select
        min(basket_date) as first_date,
        min(as_of_date) as known_until_date
    from lines
),

first_sales as (
    select
        product_id,
        min(basket_date) as first_sold_date
    from days_sold
    group by product_id
),

-- On sale from its launch, or its first sale where that came before or no launch is known.
sold_products as (
    select
        products.product_id,
        coalesce(products.category, 'none') as category,
        {{ can_be_sold('products') }} as is_on_sale,
        coalesce(
            least(first_sales.first_sold_date, {{ local_date('products.launched_at') }}),
            first_sales.first_sold_date,
            {{ local_date('products.launched_at') }}
        ) as launched_date
    from products
    left join first_sales on products.product_id = first_sales.product_id
    where first_sales.product_id is not null or products.is_active
),

window_kinds as (
    select
        'recent' as window_kind,
        {{ -recent_days }} as first_day,
        0 as end_day
    union all
    select
        'base' as window_kind,
        {{ -recent_days - base_days }} as first_day,
        {{ -recent_days }} as end_day
    union all
    select
        'next' as window_kind,
        0 as first_day,
        {{ recent_days }} as end_day
),

window_edges as (
    select
        as_of_dates.as_of_date,
        as_of_dates.is_current,
        window_kinds.window_kind,
        greatest(
            {{ date_add_days('as_of_dates.as_of_date', 'window_kinds.first_day') }},
            shop_span.first_date
        ) as begin_date,
        {{ date_add_days('as_of_dates.as_of_date', 'window_kinds.end_day') }} as end_date
    from as_of_dates
    cross join shop_span
    cross join window_kinds
    where
        {{ date_add_days('as_of_dates.as_of_date', -2 * recent_days) }} >= shop_span.first_date
        and {{ date_add_days('as_of_dates.as_of_date', 'window_kinds.end_day') }}
        <= shop_span.known_until_date
),

product_windows as (
    select
        window_edges.as_of_date,
        window_edges.is_current,
        window_edges.window_kind,
        sold_products.product_id,
        sold_products.category,
        sold_products.is_on_sale,
        sold_products.launched_date,
        greatest(window_edges.begin_date, sold_products.launched_date) as begin_date,
        window_edges.end_date
    from window_edges
    cross join sold_products
    where sold_products.launched_date < window_edges.as_of_date
),

-- Nothing to sell from the count that found none until the next count.
stock_spells as (
    select
        product_id,
        on_hand_quantity,
        {{ local_date('counted_at') }} as counted_date,
        lead({{ local_date('counted_at') }}) over (
            partition by product_id order by counted_at, on_hand_quantity
        ) as next_counted_date
    from stock_levels
),

empty_spells as (
    select
        product_id,
        counted_date,
        next_counted_date
    from stock_spells
    where on_hand_quantity <= 0
),

empty_days as (
    select
        product_windows.as_of_date,
        product_windows.window_kind,
        product_windows.product_id,
        sum(greatest(0, {{ days_between(
            'greatest(empty_spells.counted_date, product_windows.begin_date)',
            'least(coalesce(empty_spells.next_counted_date, product_windows.end_date), product_windows.end_date)'
        ) }})) as out_of_stock_days
    from product_windows
    inner join empty_spells
        on product_windows.product_id = empty_spells.product_id
        and empty_spells.counted_date < product_windows.end_date
        and (
            empty_spells.next_counted_date is null
            or empty_spells.next_counted_date > product_windows.begin_date
        )
    group by
        product_windows.as_of_date, product_windows.window_kind, product_windows.product_id
),

sales as (
    select
        window_edges.as_of_date,
        window_edges.window_kind,
        days_sold.product_id,
        sum(days_sold.order_count) as order_count
    from window_edges
    inner join days_sold
        on days_sold.basket_date >= window_edges.begin_date
        and days_sold.basket_date < window_edges.end_date
    group by window_edges.as_of_date, window_edges.window_kind, days_sold.product_id
),

measured as (
    select
        product_windows.as_of_date,
        product_windows.is_current,
        product_windows.window_kind,
        product_windows.product_id,
        product_windows.category,
        product_windows.is_on_sale,
        product_windows.launched_date,
        coalesce(sales.order_count, 0) as order_count,
        coalesce(empty_days.out_of_stock_days, 0) as out_of_stock_days,
        -- A day with a sale was a day on sale, whatever the counts say.
        greatest(
            {{ days_between('product_windows.begin_date', 'product_windows.end_date') }}
            - coalesce(empty_days.out_of_stock_days, 0),
            case when sales.order_count > 0 then 1 else 0 end
        ) as selling_days
    from product_windows
    left join sales
        on product_windows.as_of_date = sales.as_of_date
        and product_windows.window_kind = sales.window_kind
        and product_windows.product_id = sales.product_id
    left join empty_days
        on product_windows.as_of_date = empty_days.as_of_date
        and product_windows.window_kind = empty_days.window_kind
        and product_windows.product_id = empty_days.product_id
),

side_by_side as (
    select
        as_of_date,
        product_id,
        is_current,
        category,
        is_on_sale,
        launched_date,
        sum(case when window_kind = 'recent' then order_count else 0 end) as recent_order_count,
        sum(case when window_kind = 'recent' then selling_days else 0 end) as recent_days,
        sum(case when window_kind = 'recent' then out_of_stock_days else 0 end)
            as recent_out_of_stock_days,
        sum(case when window_kind = 'base' then order_count else 0 end) as base_order_count,
        sum(case when window_kind = 'base' then selling_days else 0 end) as base_days,
        -- NULL: the weeks that follow are not known yet.
        sum(case when window_kind = 'next' then order_count end) as next_order_count,
        sum(case when window_kind = 'next' then selling_days end) as next_days
    from measured
    group by as_of_date, product_id, is_current, category, is_on_sale, launched_date
),

typed as (
    select
        as_of_date,
        product_id,
        is_current,
        category,
        is_on_sale,
        launched_date,
        cast(recent_order_count as bigint) as recent_order_count,
        cast(recent_days as bigint) as recent_days,
        cast(recent_out_of_stock_days as bigint) as recent_out_of_stock_days,
        cast(base_order_count as bigint) as base_order_count,
        cast(base_days as bigint) as base_days,
        cast(next_order_count as bigint) as next_order_count,
        cast(next_days as bigint) as next_days
    from side_by_side
)

select * from typed
