with

paths as (
    select * from {{ ref('int_marketing_paths__assembled') }}
),

predictions as (
    select * from {{ ref('ml_attribution__predictions') }}
),

orders as (
    select * from {{ ref('fct_orders') }}
    where is_revenue_order
),

attribution_models as (
    select
        number as model_number,
        case number
            when 1 then 'first_touch'
            when 2 then 'last_touch'
            when 3 then 'last_non_direct'
            when 4 then 'linear'
            when 5 then 'time_decay'
            when 6 then 'position_based'
            when 7 then 'markov'
            when 8 then 'shapley'
        end as attribution_model
    from {{ number_series(1, 8) }}
),

first_visit as (
    select min({{ local_date('session_started_at') }}) as first_date
    from paths
),

-- Orders that no visit is known of have one touch without a channel, so that every sum is complete.
touches as (
    select
        orders.order_id,
        orders.order_date,
        orders.gross_revenue_amount,
        coalesce(paths.touch_number, 1) as touch_number,
        coalesce(paths.touch_count, 1) as touch_count,
        paths.session_id,
        coalesce(paths.channel_group, 'untracked') as channel_group,
        predictions.markov_credit,
        coalesce(
            {{ seconds_between('paths.session_started_at', 'orders.ordered_at') }}, 0
        ) / 86400 as days_before_order
    from orders
    cross join first_visit
    left join paths on orders.order_id = paths.order_id
    left join predictions
        on paths.path_id = predictions.path_id and paths.touch_number = predictions.touch_number
    where orders.order_date >= first_visit.first_date
),

weighed as (
    select
        *,
        max(case when channel_group <> 'direct' then touch_number end) over (
            partition by order_id
        ) as last_non_direct_number,
        power(
            cast(0.5 as double),
            days_before_order / {{ var('martlet_attribution_half_life_days') }}
        ) as decay_weight,
        count(*) over (partition by order_id, channel_group) as channel_touch_count,
        row_number() over (
            partition by order_id, channel_group order by touch_number
        ) as channel_touch_number
    from touches
),

summed as (
    select
        *,
        sum(decay_weight) over (partition by order_id) as decay_total,
        sum(case when channel_touch_number = 1 then 1 else 0 end) over (
            partition by order_id
        ) as channel_count
    from weighed
),

credited as (
    select
        summed.*,
        attribution_models.attribution_model,
        case attribution_models.attribution_model
            when 'first_touch' then case when summed.touch_number = 1 then 1 else 0 end
            when 'last_touch'
                then
                    case when summed.touch_number = summed.touch_count then 1 else 0 end
            when 'last_non_direct'
                then case
                        when summed.touch_number
                            = coalesce(summed.last_non_direct_number, summed.touch_count) then 1
                        else 0
                    end
            when 'linear' then cast(1 as double) / summed.touch_count
            when 'time_decay' then summed.decay_weight / nullif(summed.decay_total, 0)
            when 'position_based'
                then case
                        when summed.touch_count <= 2 then cast(1 as double) / summed.touch_count
                        when summed.touch_number in (1, summed.touch_count) then 0.4
                        else cast(0.2 as double) / (summed.touch_count - 2)
                    end
            when
                'markov'
                then coalesce(summed.markov_credit, cast(1 as double) / summed.touch_count)
            when 'shapley' then
                cast(1 as double) / summed.channel_count / summed.channel_touch_count
        end as credit
    from summed
    cross join attribution_models
),

rounded as (
    select
        *,
        cast(round(
            cast(gross_revenue_amount as double) * credit, 4
        ) as decimal(18, 4)) as rounded_amount
    from credited
),

-- What rounding leaves over goes to the last touch: credits sum to the order's revenue to the cent.
final as (
    select
        order_id,
        attribution_model,
        touch_number,
        touch_count,
        order_date,
        session_id,
        channel_group,
        days_before_order,
        cast(credit as double) as credit,
        cast(case
            when touch_number < touch_count then rounded_amount
            else gross_revenue_amount - sum(
                    case when touch_number < touch_count then rounded_amount else 0 end
                ) over (partition by order_id, attribution_model)
        end as decimal(18, 4)) as attributed_revenue_amount
    from rounded
)

select
    order_id,
    attribution_model,
    touch_number,
    touch_count,
    order_date,
    session_id,
    channel_group,
    days_before_order,
    credit,
    attributed_revenue_amount
from final
