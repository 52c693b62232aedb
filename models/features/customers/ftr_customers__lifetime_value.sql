with

totals as (
    select * from {{ ref('int_customers__totals_by_as_of_date') }}
),

valued as (
    select
        customer_id,
        as_of_date,
        is_current,
        order_count,
        item_count,
        return_count,
        returned_quantity,
        gross_revenue_amount,
        returned_amount,
        cast(gross_revenue_amount - returned_amount as decimal(18, 4)) as net_revenue_amount,
        case
            when orders_without_cost = 0
                then cast(known_cost_amount - returned_cost_amount as decimal(18, 4))
        end as cost_amount,
        first_order_date,
        last_order_date,
        last_return_date
    from totals
),

with_rates as (
    select
        customer_id,
        as_of_date,
        is_current,
        order_count,
        item_count,
        return_count,
        returned_quantity,
        gross_revenue_amount,
        returned_amount,
        net_revenue_amount,
        cost_amount,
        cast(net_revenue_amount - cost_amount as decimal(18, 4)) as margin_amount,
        -- round() goes up or down from the middle, depending on the engine.
        cast(floor(
            cast(gross_revenue_amount as double) / nullif(order_count, 0) * 1e4 + 0.5e0
        ) / 1e4 as decimal(18, 4)) as average_order_amount,
        cast(item_count as double) / nullif(order_count, 0) as items_per_order,
        cast(returned_amount as double)
        / nullif(cast(gross_revenue_amount as double), 0) as return_rate,
        cast(net_revenue_amount - cost_amount as double)
        / nullif(cast(net_revenue_amount as double), 0) as margin_rate,
        first_order_date,
        last_order_date,
        last_return_date
    from valued
)

select * from with_rates
