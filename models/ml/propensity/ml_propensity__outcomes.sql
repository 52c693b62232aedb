-- What came after each as-of date: label and judge, never a feature.
with

features as (
    select * from {{ ref('ftr_customer_products__propensity') }}
    where cutoff_role in ('train', 'test')
),

cutoffs as (
    select * from {{ ref('int_as_of_dates__split_for_propensity') }}
),

lines as (
    select * from {{ ref('int_baskets__lines') }}
),

bought as (
    select distinct
        cutoffs.as_of_date,
        lines.customer_id,
        lines.product_id
    from lines
    inner join cutoffs
        on lines.basket_date >= cutoffs.as_of_date and lines.basket_date < cutoffs.label_until
    where lines.customer_id is not null
),

outcomes as (
    select
        features.customer_id,
        features.product_id,
        features.as_of_date,
        features.cutoff_role,
        bought.customer_id is not null as is_bought
    from features
    left join bought
        on features.as_of_date = bought.as_of_date
        and features.customer_id = bought.customer_id
        and features.product_id = bought.product_id
)

select * from outcomes
