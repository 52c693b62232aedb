with lines as (

    select * from {{ ref('stg_online_retail__lines') }}

),

return_lines as (

    select * from lines
    where is_return

),

returned_keys as (

    select distinct
        customer_id,
        product_id,
        -quantity as quantity,
        unit_price_amount
    from return_lines
    where
        rejection_reason is null
        and customer_id is not null

),

-- Sales and returns of one customer that agree in product, quantity and price, in order of time; a
-- sale before a return of the same minute.
moves as (

    select
        lines.line_id,
        lines.invoice_id,
        lines.is_return,
        lines.customer_id,
        lines.product_id,
        abs(lines.quantity) as quantity,
        lines.unit_price_amount,
        row_number() over (
            partition by
                lines.customer_id, lines.product_id, abs(lines.quantity), lines.unit_price_amount
            order by lines.invoiced_at, lines.is_return, lines.line_id
        ) as move_number,
        row_number() over (
            partition by
                lines.customer_id,
                lines.product_id,
                abs(lines.quantity),
                lines.unit_price_amount,
                lines.is_return
            order by lines.invoiced_at, lines.line_id
        ) as side_number
    from lines
    inner join returned_keys
        on
        lines.customer_id = returned_keys.customer_id
        and lines.product_id = returned_keys.product_id
        and abs(lines.quantity) = returned_keys.quantity
        and lines.unit_price_amount = returned_keys.unit_price_amount
    where lines.rejection_reason is null

),

balanced_moves as (

    select
        *,
        sum(case when is_return then -1 else 1 end) over (
            partition by customer_id, product_id, quantity, unit_price_amount
            order by move_number
            rows between unbounded preceding and current row
        ) as balance
    from moves

),

-- How many returns up to here had no sale left to be matched with: the sale lies before the export
-- begins. They take no sale away from later returns.
counted_moves as (

    select
        *,
        greatest(
            0,
            -min(balance) over (
                partition by customer_id, product_id, quantity, unit_price_amount
                order by move_number
                rows between unbounded preceding and current row
            )
        ) as unmatched_count
    from balanced_moves

),

judged_moves as (

    select
        *,
        unmatched_count > coalesce(
            lag(unmatched_count) over (
                partition by customer_id, product_id, quantity, unit_price_amount
                order by move_number
            ),
            0
        ) as is_unmatched
    from counted_moves

),

-- First sold, first returned: each sale is returned once at most.
matches as (

    select
        returned.line_id,
        sold.invoice_id as order_id,
        sold.line_id as order_item_id
    from judged_moves as returned
    inner join moves as sold
        on
        returned.customer_id = sold.customer_id
        and returned.product_id = sold.product_id
        and returned.quantity = sold.quantity
        and returned.unit_price_amount = sold.unit_price_amount
        and returned.side_number - returned.unmatched_count = sold.side_number
    where
        returned.is_return
        and not returned.is_unmatched
        and not sold.is_return

),

returns as (

    select
        return_lines.line_id as return_id,
        matches.order_id,
        matches.order_item_id,
        return_lines.product_id,
        return_lines.customer_id,
        return_lines.invoiced_at as returned_at,
        -return_lines.quantity as quantity,
        -return_lines.line_amount as refund_amount,
        cast(null as string) as return_reason,
        return_lines.rejection_reason,
        return_lines.line_id as source_key,
        return_lines.source_row
    from return_lines
    left join matches on return_lines.line_id = matches.line_id

)

select * from returns
