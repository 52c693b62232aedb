with

candidates as (
    select * from {{ ref('ml_discount_offers__candidates') }}
),

affinity as (
    select * from {{ ref('ftr_customers__discount_affinity') }}
),

products as (
    select * from {{ ref('int_products__listed') }}
),

-- The response of the category, as strong as the customer's affinity. The recommender's chance
-- is that over weeks with and without a reduction; at the full price it is lower.
responding as (
    select
        candidates.*,
        affinity.discount_segment,
        affinity.affinity_index,
        1 + (candidates.discount_response - 1) * affinity.affinity_index as customer_response,
        candidates.purchase_probability / (
            1 + (candidates.discount_response - 1) * candidates.discounted_week_share
        ) as full_price_probability,
        coalesce(
            candidates.unit_cost_amount,
            candidates.regular_price_amount * (1 - {{ var('martlet_order_margin_share') }})
        ) as cost_amount
    from candidates
    inner join affinity
        on candidates.customer_id = affinity.customer_id and affinity.is_current
),

valued as (
    select
        *,
        least(1, full_price_probability * customer_response) as offer_probability,
        regular_price_amount - cost_amount as full_price_margin_amount,
        offer_price_amount - cost_amount as offer_margin_amount
    from responding
),

weighed as (
    select
        *,
        offer_probability * offer_margin_amount as expected_margin_amount,
        offer_probability * offer_margin_amount
        - full_price_probability * full_price_margin_amount as incremental_margin_amount
    from valued
),

decided as (
    select
        *,
        case
            when offer_margin_amount <= 0 then 'sells_at_a_loss'
            when discount_segment = 'full_price' then 'pays_full_price'
            when full_price_probability >= 0.5 then 'would_buy_anyway'
            when incremental_margin_amount <= 0 then 'costs_more_than_it_brings'
            else 'offer'
        end as offer_decision
    from weighed
),

ranked as (
    select
        decided.customer_id,
        decided.product_id,
        decided.as_of_date,
        products.product_name,
        products.category,
        decided.offer_decision = 'offer' as is_offered,
        decided.offer_decision,
        cast(row_number() over (
            partition by decided.customer_id
            order by
                case when decided.offer_decision = 'offer' then 0 else 1 end,
                decided.incremental_margin_amount desc,
                decided.product_id
        ) as integer) as offer_rank,
        decided.discount_segment,
        decided.affinity_index,
        decided.is_repeat,
        cast(decided.regular_price_amount as decimal(18, 4)) as regular_price_amount,
        cast(decided.offer_price_amount as decimal(18, 4)) as offer_price_amount,
        decided.discount_rate,
        decided.full_price_probability as would_buy_anyway_probability,
        decided.offer_probability,
        cast(decided.expected_margin_amount as decimal(18, 4)) as expected_margin_amount,
        cast(decided.incremental_margin_amount as decimal(18, 4))
            as expected_incremental_margin_amount,
        decided.model_version,
        decided.predicted_at
    from decided
    left join products on decided.product_id = products.product_id
)

select * from ranked
