with

lifetime_value as (
    select * from {{ ref('ftr_customers__lifetime_value') }}
),

cadence as (
    select * from {{ ref('ftr_customers__cadence') }}
),

ranked as (
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
        margin_amount,
        average_order_amount,
        items_per_order,
        return_rate,
        margin_rate,
        first_order_date,
        last_order_date,
        cast({{ days_between('first_order_date', 'as_of_date') }} as integer) as tenure_days,
        row_number() over (
            partition by as_of_date order by gross_revenue_amount desc, customer_id
        ) as revenue_rank,
        cast(
            sum(gross_revenue_amount) over (
                partition by as_of_date order by gross_revenue_amount desc, customer_id
                rows between unbounded preceding and current row
            ) as double
        ) / nullif(
            cast(sum(gross_revenue_amount) over (partition by as_of_date) as double), 0
        ) as cumulative_revenue_share,
        {{ quantile_score(
            'net_revenue_amount', partition_by='as_of_date', tie_breaker='customer_id', groups=10
        ) }} as value_decile
    from lifetime_value
),

with_cadence as (
    select
        ranked.*,
        cadence.days_since_last_order,
        cadence.order_count_90_days,
        cadence.order_count_365_days,
        cadence.mean_gap_days,
        cadence.median_gap_days
    from ranked
    left join cadence
        on ranked.customer_id = cadence.customer_id
        and ranked.as_of_date = cadence.as_of_date
)

select * from with_cadence
