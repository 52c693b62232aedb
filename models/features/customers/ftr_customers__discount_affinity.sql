with

lines as (
    select * from {{ ref('int_order_items__discounts') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

customer_orders as (
    select
        as_of_dates.as_of_date,
        as_of_dates.is_current,
        lines.customer_id,
        lines.order_id,
        count(*) as line_count,
        sum(case when lines.is_discounted then 1 else 0 end) as discounted_line_count,
        sum(lines.expected_discount_probability) as expected_line_count,
        sum(lines.discount_rate) as discount_rate_sum
    from as_of_dates
    inner join lines on lines.order_date < as_of_dates.as_of_date
    where lines.customer_id is not null
    group by as_of_dates.as_of_date, as_of_dates.is_current, lines.customer_id, lines.order_id
),

customers as (
    select
        as_of_date,
        is_current,
        customer_id,
        count(*) as order_count,
        sum(line_count) as line_count,
        sum(discounted_line_count) as discounted_line_count,
        sum(expected_line_count) as expected_line_count,
        sum(discount_rate_sum) / sum(line_count) as mean_discount_rate,
        sum(power(discounted_line_count - expected_line_count, 2)) as squared_surprise,
        sum(power(expected_line_count, 2)) as squared_expectation
    from customer_orders
    group by as_of_date, is_current, customer_id
),

-- Customers differ as far as surprises of different orders of one customer go together; what goes
-- together within an order (one voucher, one week) says nothing of the customer.
agreements as (
    select
        *,
        power(discounted_line_count - expected_line_count, 2) - squared_surprise as agreement,
        power(expected_line_count, 2) - squared_expectation as possible_agreement
    from customers
),

-- Less than two standard errors is chance: then customers are taken to be alike.
spreads as (
    select
        as_of_date,
        case
            when sum(agreement) > 2 * sqrt(sum(power(agreement, 2)))
                then coalesce(sum(agreement) / nullif(sum(possible_agreement), 0), 0)
            else 0
        end as customer_variance,
        sum(squared_surprise) / nullif(sum(expected_line_count), 0) as order_dispersion
    from agreements
    group by as_of_date
),

-- Credibility (Buehlmann 1967): the share of a customer's own rate in the estimate.
weighed as (
    select
        customers.*,
        spreads.customer_variance,
        coalesce(
            spreads.customer_variance * customers.expected_line_count / nullif(
                spreads.customer_variance * customers.expected_line_count
                + spreads.order_dispersion, 0
            ), 0
        ) as credibility
    from customers
    inner join spreads on customers.as_of_date = spreads.as_of_date
),

estimated as (
    select
        *,
        1 + credibility * coalesce(
            discounted_line_count / nullif(expected_line_count, 0) - 1, 0
        ) as affinity_index,
        1.2816e0 * sqrt(customer_variance * (1 - credibility)) as affinity_margin
    from weighed
),

typed as (
    select
        customer_id,
        as_of_date,
        is_current,
        cast(order_count as bigint) as order_count,
        cast(line_count as bigint) as line_count,
        cast(discounted_line_count as bigint) as discounted_line_count,
        cast(expected_line_count as double) as expected_discounted_line_count,
        cast(mean_discount_rate as double) as mean_discount_rate,
        cast(credibility as double) as credibility,
        cast(affinity_index as double) as affinity_index,
        cast(greatest(0, affinity_index - affinity_margin) as double) as affinity_index_low,
        cast(affinity_index + affinity_margin as double) as affinity_index_high,
        -- Where customers do not differ, nobody is a seeker.
        case
            when customer_variance > 0 and affinity_index - affinity_margin > 1
                then 'discount_seeker'
            when customer_variance > 0 and affinity_index + affinity_margin < 1
                then 'full_price'
            else 'opportunist'
        end as discount_segment
    from estimated
)

select * from typed
