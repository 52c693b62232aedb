with

attribution as (
    select * from {{ ref('fct_attribution') }}
),

removal_effects as (
    select * from {{ ml_part(ref('ml_attribution__fit'), 'removal_effects') }}
),

totals as (
    select
        attribution_model,
        channel_group,
        sum(credit) as credited_order_count,
        sum(attributed_revenue_amount) as attributed_revenue_amount
    from attribution
    group by attribution_model, channel_group
),

shared as (
    select
        *,
        sum(credited_order_count) over (partition by attribution_model) as order_count
    from totals
),

final as (
    select
        shared.attribution_model,
        shared.channel_group,
        shared.credited_order_count,
        shared.credited_order_count / nullif(shared.order_count, 0) as order_share,
        cast(shared.attributed_revenue_amount as decimal(18, 4)) as attributed_revenue_amount,
        removal_effects.removal_effect
    from shared
    left join removal_effects on shared.channel_group = removal_effects.channel
)

select
    attribution_model,
    channel_group,
    credited_order_count,
    order_share,
    attributed_revenue_amount,
    removal_effect
from final
