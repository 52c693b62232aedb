{#- Which bin of its training rows a rule puts a pair into, and how it orders pairs. -#}
{%- set rules = {
    'personal_frequency': [
        'least(purchase_day_count, 5)',
        'purchase_day_count + buyer_share_90_days',
    ],
    'recency_rule': [
        "case
            when not is_bought_before then -1
            when interval_ratio is null then 0
            when interval_ratio < 0.25 then 1
            when interval_ratio < 0.5 then 2
            when interval_ratio < 0.8 then 3
            when interval_ratio < 1.25 then 4
            when interval_ratio < 2 then 5
            else 6
        end",
        "case
            when is_bought_before and interval_ratio > 0
                then 2 - least(abs(ln(interval_ratio)) / 5, 1) + buyer_share_90_days / 1000
            else buyer_share_90_days
        end",
    ],
    'popularity': [
        'cast(floor(least(buyer_share_90_days, 0.999) * 50) as integer)',
        'buyer_share_90_days',
    ],
    'base_rate': ['0', '0'],
} -%}
with

features as (
    select * from {{ ref('ftr_customer_products__propensity') }}
),

outcomes as (
    select * from {{ ref('ml_propensity__outcomes') }}
),

labelled as (
    select
        features.customer_id,
        features.product_id,
        features.as_of_date,
        features.is_bought_before,
        features.purchase_day_count,
        features.interval_ratio,
        features.buyer_share_90_days,
        outcomes.cutoff_role = 'test' as is_test,
        outcomes.is_bought
    from outcomes
    inner join features
        on outcomes.as_of_date = features.as_of_date
        and outcomes.customer_id = features.customer_id
        and outcomes.product_id = features.product_id
),

predictions as (
    select * from {{ ref('ml_propensity__predictions') }}
    where not is_current
),

versions as (
    select model_version
    from {{ ref('ml_propensity__fit') }}
    where is_champion
),

placed as (
    {% for name, (bin, score) in rules.items() %}
        select
            '{{ name }}' as scorer,
            customer_id,
            product_id,
            as_of_date,
            is_test,
            is_bought,
            {{ bin }} as bin,
            cast({{ score }} as double) as score
        from labelled
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

base as (
    select
        cast(count(case when is_bought then 1 end) as double) / nullif(count(*), 0)
            as bought_share
    from labelled
    where not is_test
),

-- What a rule's bin meant in training; few rows lean on the share of all.
learned as (
    select
        placed.scorer,
        placed.bin,
        (
            count(case when placed.is_bought then 1 end) + 100 * min(base.bought_share)
        ) / (count(*) + 100) as bought_share
    from placed
    cross join base
    where not placed.is_test
    group by placed.scorer, placed.bin
),

judged as (
    select
        placed.scorer,
        placed.customer_id,
        placed.product_id,
        placed.as_of_date,
        placed.is_bought,
        placed.score,
        coalesce(learned.bought_share, base.bought_share) as probability
    from placed
    cross join base
    left join learned on placed.scorer = learned.scorer and placed.bin = learned.bin
    where placed.is_test
    union all
    select
        'model' as scorer,
        labelled.customer_id,
        labelled.product_id,
        labelled.as_of_date,
        labelled.is_bought,
        predictions.purchase_probability as score,
        predictions.purchase_probability as probability
    from labelled
    inner join predictions
        on labelled.as_of_date = predictions.as_of_date
        and labelled.customer_id = predictions.customer_id
        and labelled.product_id = predictions.product_id
    where labelled.is_test
),

losses as (
    select
        scorer,
        min(as_of_date) as as_of_date,
        count(*) as pair_count,
        count(case when is_bought then 1 end) as bought_pair_count,
        -- Rounded, because the last digit of a sum depends on the order of the rows.
        round(avg(probability), 12) as mean_probability,
        round(avg(power(probability - case when is_bought then 1 else 0 end, 2)), 12)
            as brier_score,
        round(-avg(ln(case
            when is_bought then greatest(probability, 1e-12)
            else greatest(1 - probability, 1e-12)
        end)), 12) as log_loss
    from judged
    group by scorer
),

-- Pairs with one score stand and fall together.
steps as (
    select
        scorer,
        score,
        count(*) as pair_count,
        count(case when is_bought then 1 end) as bought_count
    from judged
    group by scorer, score
),

reached as (
    select
        scorer,
        pair_count,
        bought_count,
        sum(pair_count) over (
            partition by scorer order by score desc
            rows between unbounded preceding and current row
        ) as pairs_reached,
        sum(bought_count) over (
            partition by scorer order by score desc
            rows between unbounded preceding and current row
        ) as bought_reached,
        sum(bought_count) over (partition by scorer) as bought_total,
        sum(pair_count) over (partition by scorer) as pair_total
    from steps
),

curves as (
    select
        scorer,
        round(sum(
            cast(bought_count as double) / nullif(bought_total, 0)
            * bought_reached / pairs_reached
        ), 12) as pr_auc,
        -- The chance that a bought pair stands before one that is not; ties count half.
        1 - sum(
            cast(bought_count as double) * (
                pairs_reached - bought_reached - (pair_count - bought_count) / 2.0e0
            )
        ) / nullif(min(bought_total) * cast(min(pair_total) - min(bought_total) as double), 0)
            as roc_auc
    from reached
    group by scorer
),

ranked as (
    select
        judged.scorer,
        judged.customer_id,
        judged.is_bought,
        row_number() over (
            partition by judged.scorer, judged.customer_id
            order by judged.score desc, judged.product_id
        ) as place,
        count(case when judged.is_bought then 1 end) over (
            partition by judged.scorer, judged.customer_id
        ) as wanted_count
    from judged
),

customers as (
    select
        scorer,
        customer_id,
        cast(count(case when is_bought and place <= 5 then 1 end) as double) / 5 as precision_at_5,
        cast(count(case when is_bought and place <= 10 then 1 end) as double)
        / min(wanted_count) as recall_at_10,
        case when count(case when is_bought and place <= 10 then 1 end) > 0 then 1.0e0 else 0 end
            as hit_rate_at_10
    from ranked
    where wanted_count > 0
    group by scorer, customer_id
),

lists as (
    select
        scorer,
        count(*) as buyer_count,
        round(avg(precision_at_5), 12) as precision_at_5,
        round(avg(recall_at_10), 12) as recall_at_10,
        round(avg(hit_rate_at_10), 12) as hit_rate_at_10
    from customers
    group by scorer
),

metrics as (
    select
        losses.scorer,
        losses.as_of_date,
        losses.pair_count,
        losses.bought_pair_count,
        lists.buyer_count,
        losses.mean_probability,
        cast(losses.bought_pair_count as double) / losses.pair_count as bought_share,
        losses.log_loss,
        losses.brier_score,
        curves.pr_auc,
        curves.roc_auc,
        lists.precision_at_5,
        lists.recall_at_10,
        lists.hit_rate_at_10,
        versions.model_version
    from losses
    inner join curves on losses.scorer = curves.scorer
    left join lists on losses.scorer = lists.scorer
    cross join versions
)

select * from metrics
