with

predictions as (
    select * from {{ ref('ml_lookers__predictions') }}
),

outcomes as (
    select * from {{ ref('ml_lookers__outcomes') }}
),

activity as (
    select * from {{ ref('ftr_ip_addresses__activity') }}
),

orders as (
    select * from {{ ref('ftr_ip_addresses__orders') }}
),

traffic as (
    select * from {{ ref('int_traffic__measured_by_as_of_date') }}
),

links as (
    select * from {{ ref('int_ip_addresses__orders') }}
),

judged as (
    select
        predictions.as_of_date,
        predictions.address_id,
        predictions.crawler_name is not null as is_verified_crawler,
        predictions.shared_address_score >= 0.5 as is_shared_address,
        predictions.action in ('rate_limit', 'challenge', 'block') as is_on_list,
        -- What shops do without a model: a hundred requests and no order from the address.
        activity.hit_count >= 100 and orders.order_at_address_count = 0 as is_on_naive_list,
        activity.hit_count,
        outcomes.next_hit_count,
        outcomes.next_order_count,
        {{ date_add_days('predictions.as_of_date', var('martlet_looker_outcome_days')) }}
            as outcome_end_date
    from predictions
    inner join outcomes
        on predictions.address_id = outcomes.address_id
        and predictions.as_of_date = outcomes.as_of_date
    inner join activity
        on predictions.address_id = activity.address_id
        and predictions.as_of_date = activity.as_of_date
    inner join orders
        on predictions.address_id = orders.address_id
        and predictions.as_of_date = orders.as_of_date
),

by_rule as (
    select
        'looker_model' as rule_name,
        judged.*,
        is_on_list as is_listed
    from judged
    union all
    select
        'no_order_and_100_hits' as rule_name,
        judged.*,
        is_on_naive_list as is_listed
    from judged
),

followed as (
    select
        *,
        -- Whether the same rule lists the address one fold later.
        lead(as_of_date) over (
            partition by rule_name, address_id order by as_of_date
        ) as next_seen_date,
        lead(is_listed) over (
            partition by rule_name, address_id order by as_of_date
        ) as is_listed_next
    from by_rule
),

totals as (
    select
        rule_name,
        as_of_date,
        count(*) as address_count,
        sum(case when is_listed then 1 else 0 end) as listed_count,
        sum(next_hit_count) as hit_count,
        sum(case when is_listed then next_hit_count else 0 end) as hits_saved_count,
        sum(case when is_listed and next_hit_count > 0 then 1 else 0 end) as still_active_count,
        sum(case when is_listed and next_order_count > 0 then 1 else 0 end) as buyer_count,
        sum(case when is_listed and is_verified_crawler then 1 else 0 end)
            as verified_crawlers_hit_count,
        sum(case when is_listed and is_shared_address then 1 else 0 end)
            as shared_addresses_hit_count,
        sum(case when is_listed and next_seen_date is not null then 1 else 0 end)
            as followed_count,
        sum(case
            when is_listed and next_seen_date is not null and not is_listed_next then 1 else 0
        end) as dropped_count
    from followed
    group by rule_name, as_of_date
),

-- An order is lost once, whatever the number of listed addresses its buyer was seen at.
lost_orders as (
    select
        by_rule.rule_name,
        by_rule.as_of_date,
        links.order_id,
        max(case when by_rule.is_listed then 1 else 0 end) as is_lost,
        max(case when links.is_cancelled then 0 else links.total_amount end) as order_amount
    from by_rule
    inner join links
        on by_rule.address_id = links.address_id
        and links.order_date >= by_rule.as_of_date
        and links.order_date < by_rule.outcome_end_date
        and links.known_from_date < by_rule.outcome_end_date
    group by by_rule.rule_name, by_rule.as_of_date, links.order_id
),

order_totals as (
    select
        rule_name,
        as_of_date,
        count(*) as order_count,
        sum(is_lost) as orders_lost_count,
        sum(order_amount) as order_amount,
        sum(is_lost * order_amount) as revenue_lost_amount
    from lost_orders
    group by rule_name, as_of_date
),

measured as (
    select
        totals.rule_name,
        totals.as_of_date,
        {{ date_add_days('totals.as_of_date', var('martlet_looker_outcome_days')) }}
            as outcome_end_date,
        totals.address_count,
        cast(totals.listed_count as bigint) as listed_count,
        cast(totals.still_active_count as bigint) as still_active_count,
        cast(totals.hit_count as bigint) as hit_count,
        cast(totals.hits_saved_count as bigint) as hits_saved_count,
        totals.hits_saved_count / cast(nullif(totals.hit_count, 0) as double) as hits_saved_share,
        cast(coalesce(order_totals.order_count, 0) as bigint) as order_count,
        cast(coalesce(order_totals.orders_lost_count, 0) as bigint) as orders_lost_count,
        order_totals.orders_lost_count / cast(nullif(order_totals.order_count, 0) as double)
            as orders_lost_share,
        -- Nothing lost among n is at most 3 in n, with 95 % confidence; else Wilson's bound.
        case
            when order_totals.order_count is null then null
            when order_totals.orders_lost_count = 0
                then 1 - power(0.05e0, 1e0 / order_totals.order_count)
            else {{ wilson_bound(
                'order_totals.orders_lost_count', 'order_totals.order_count', 'upper'
            ) }}
        end as orders_lost_share_upper,
        cast(coalesce(order_totals.order_amount, 0) as decimal(18, 4)) as order_amount,
        cast(coalesce(order_totals.revenue_lost_amount, 0) as decimal(18, 4))
            as revenue_lost_amount,
        1 - totals.buyer_count / cast(nullif(totals.listed_count, 0) as double)
            as never_buys_precision,
        case
            when totals.listed_count > 0 then
                {{ wilson_bound(
                    '(totals.listed_count - totals.buyer_count)', 'totals.listed_count', 'lower'
                ) }}
        end as never_buys_precision_lower,
        cast(totals.verified_crawlers_hit_count as bigint) as verified_crawlers_hit_count,
        cast(totals.shared_addresses_hit_count as bigint) as shared_addresses_hit_count,
        totals.dropped_count / cast(nullif(totals.followed_count, 0) as double) as churn_share,
        coalesce(traffic.people_address_count, 0) as people_address_count
    from totals
    left join order_totals
        on totals.rule_name = order_totals.rule_name
        and totals.as_of_date = order_totals.as_of_date
    left join traffic on totals.as_of_date = traffic.as_of_date
)

select * from measured
