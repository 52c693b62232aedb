with

lifetime_value as (
    select * from {{ ref('ftr_customers__lifetime_value') }}
),

-- One customer's own rate rests on a handful of orders. A shop that does not know its costs counts
-- revenue.
rates as (
    select
        as_of_date,
        coalesce(
            cast(sum(margin_amount) as double)
            / nullif(cast(sum(
                case when margin_amount is not null then gross_revenue_amount end
            ) as double), 0),
            1
        ) as margin_rate
    from lifetime_value
    group by as_of_date
)

select * from rates
