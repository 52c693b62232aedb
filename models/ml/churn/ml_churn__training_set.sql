with

features as (
    select * from {{ ref('ftr_customers__churn') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

horizons as (
    select * from {{ ref('int_churn_horizons__compared') }}
),

orders as (
    select * from {{ ref('int_orders__enriched') }}
),

margin_rates as (
    select * from {{ ref('int_margin_rates__by_customer') }}
),

now as (
    select as_of_date as observed_until
    from as_of_dates
    where is_current
),

-- A label is known when its whole window is over: the current date tells nothing yet.
complete_cutoffs as (
    select
        as_of_dates.as_of_date,
        horizons.horizon_days,
        {{ date_add_days('as_of_dates.as_of_date', 'horizons.horizon_days') }} as label_until
    from as_of_dates
    inner join horizons on horizons.is_chosen
    cross join now
    where
        {{ date_add_days('as_of_dates.as_of_date', 'horizons.horizon_days') }} <= now.observed_until
),

test_cutoff as (
    select max(as_of_date) as tested_at
    from complete_cutoffs
),

-- The latest complete cut-off tests. What trains must have been known then: a cut-off whose window
-- reaches beyond it is left out.
cutoffs as (
    select
        complete_cutoffs.as_of_date,
        complete_cutoffs.label_until,
        complete_cutoffs.horizon_days,
        complete_cutoffs.as_of_date = test_cutoff.tested_at as is_test
    from complete_cutoffs
    cross join test_cutoff
    where
        complete_cutoffs.as_of_date = test_cutoff.tested_at
        or complete_cutoffs.label_until <= test_cutoff.tested_at
),

buyers as (
    select distinct
        orders.customer_id,
        cutoffs.as_of_date
    from orders
    inner join cutoffs
        on orders.order_date >= cutoffs.as_of_date and orders.order_date < cutoffs.label_until
    where orders.customer_id is not null and orders.is_revenue_order
),

-- Season may be learned only from a full year: with fewer cut-offs a month stands for one level.
season as (
    select count(distinct date_trunc('month', as_of_date)) as month_count
    from cutoffs
    where not is_test
),

labelled as (
    select
        features.*,
        case
            when season.month_count >= 12
                then cast(extract(month from features.as_of_date) as string)
        end as as_of_month,
        cutoffs.horizon_days,
        cutoffs.label_until,
        cutoffs.is_test,
        -- What an offer that works keeps; no feature.
        greatest(
            coalesce(features.spend_amount_365_days * coalesce(margin_rates.margin_rate, 1), 0), 0
        )
            as yearly_margin_amount,
        buyers.customer_id is null as is_churned
    from features
    inner join cutoffs on features.as_of_date = cutoffs.as_of_date
    cross join season
    left join margin_rates
        on features.customer_id = margin_rates.customer_id
        and features.as_of_date = margin_rates.as_of_date
    left join buyers
        on features.customer_id = buyers.customer_id
        and features.as_of_date = buyers.as_of_date
    where features.recency_days <= {{ var('martlet_churn_active_days') }}
)

select * from labelled
