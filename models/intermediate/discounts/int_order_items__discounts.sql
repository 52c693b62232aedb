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

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

lines as (
    select
        order_items.order_item_id,
        order_items.order_id,
        orders.customer_id,
        order_items.product_id,
        coalesce(products.category, 'none') as category,
        orders.order_date,
        cast(date_trunc('week', orders.order_date) as date) as order_week,
        orders.ordered_at,
        cast(order_items.quantity as double) as quantity,
        cast(order_items.unit_price_amount as double) as unit_price_amount,
        cast(order_items.line_amount as double) / nullif(order_items.quantity, 0)
            as shown_price_amount,
        cast(order_items.goods_amount as double) / nullif(order_items.quantity, 0)
            as paid_price_amount,
        cast(products.list_price_amount as double) as list_price_amount
    from order_items
    inner join orders on order_items.order_id = orders.order_id
    inner join as_of_dates
        on as_of_dates.is_current and orders.order_date < as_of_dates.as_of_date
    left join products on order_items.product_id = products.product_id
    where orders.is_revenue_order and order_items.unit_price_amount > 0
),

-- A price that holds for half of the sales is no reduction; a list price above it still counts.
usual_prices as (
    select
        product_id,
        median(unit_price_amount) as usual_price_amount
    from lines
    group by product_id
),

priced as (
    select
        lines.*,
        greatest(
            coalesce(lines.list_price_amount, usual_prices.usual_price_amount),
            usual_prices.usual_price_amount
        ) as regular_price_amount
    from lines
    inner join usual_prices on lines.product_id = usual_prices.product_id
),

reduced as (
    select
        *,
        greatest(0, 1 - paid_price_amount / regular_price_amount) as discount_rate,
        greatest(0, 1 - shown_price_amount / regular_price_amount) as shown_discount_rate,
        case when paid_price_amount <= 0.95e0 * regular_price_amount then 1 else 0 end
            as discounted_line
    from priced
),

weeks as (
    select
        category,
        order_week,
        count(*) as line_count,
        sum(discounted_line) as discounted_line_count
    from reduced
    group by category, order_week
),

shares as (
    select
        category,
        cast(sum(discounted_line_count) as double) / sum(line_count) as discounted_share
    from weeks
    group by category
),

own_weeks as (
    select
        customer_id,
        category,
        order_week,
        count(*) as line_count,
        sum(discounted_line) as discounted_line_count
    from reduced
    where customer_id is not null
    group by customer_id, category, order_week
),

-- What was to be had: how often others bought this category reduced in this week. A week of few
-- sales leans on the category's usual share, which counts like 20 lines.
measured as (
    select
        reduced.order_item_id,
        reduced.order_id,
        reduced.customer_id,
        reduced.product_id,
        reduced.category,
        reduced.order_date,
        reduced.order_week,
        reduced.ordered_at,
        reduced.regular_price_amount,
        reduced.shown_price_amount,
        reduced.paid_price_amount,
        reduced.discount_rate,
        reduced.shown_discount_rate,
        reduced.discounted_line = 1 as is_discounted,
        (
            weeks.discounted_line_count - coalesce(own_weeks.discounted_line_count, 0)
            + 20 * shares.discounted_share
        ) / (weeks.line_count - coalesce(own_weeks.line_count, 0) + 20)
            as expected_discount_probability
    from reduced
    inner join weeks
        on reduced.category = weeks.category and reduced.order_week = weeks.order_week
    inner join shares on reduced.category = shares.category
    left join own_weeks
        on reduced.customer_id = own_weeks.customer_id
        and reduced.category = own_weeks.category
        and reduced.order_week = own_weeks.order_week
)

select * from measured
