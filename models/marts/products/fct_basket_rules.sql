with

rules as (
    select * from {{ ml_part(ref('ml_basket_rules__fit'), 'rules') }}
),

products as (
    select * from {{ ref('int_products__listed') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

identified as (
    select
        rules.*,
        {{ hash_text([
            'rules.item_level', list_text('rules.antecedent'), 'rules.consequent'
        ]) }} as rule_id,
        as_of_dates.as_of_date
    from rules
    inner join as_of_dates on as_of_dates.is_current
),

antecedent_items as (
    select
        rule_id,
        item_level,
        consequent,
        {{ exploded_list('antecedent') }} as item_id
    from identified
),

antecedent_names as (
    select
        antecedent_items.rule_id,
        {{ ordered_text(
            'coalesce(products.product_name, antecedent_items.item_id)', 'antecedent_items.item_id'
        ) }} as antecedent_names,
        count(case when products.category = consequents.category then 1 end) = count(*)
            as is_same_category
    from antecedent_items
    left join products
        on
        antecedent_items.item_level = 'product'
        and antecedent_items.item_id = products.product_id
    left join products as consequents
        on
        antecedent_items.item_level = 'product'
        and antecedent_items.consequent = consequents.product_id
    group by antecedent_items.rule_id
),

described as (
    select
        identified.rule_id,
        identified.as_of_date,
        identified.item_level,
        identified.antecedent,
        antecedent_names.antecedent_names,
        identified.consequent,
        coalesce(products.product_name, identified.consequent) as consequent_name,
        case when identified.item_level = 'product' then antecedent_names.is_same_category end
            as is_same_category,
        identified.item_count,
        identified.basket_count,
        identified.antecedent_count as antecedent_basket_count,
        identified.consequent_count as consequent_basket_count,
        identified.support,
        identified.confidence,
        identified.lift,
        identified.lift_lower,
        identified.lift_upper,
        identified.leverage,
        identified.conviction,
        identified.zhang,
        identified.kulczynski,
        identified.imbalance_ratio,
        identified.chi_square,
        identified.fisher_p_value,
        identified.fisher_q_value,
        coalesce(identified.lift > 1 and identified.fisher_q_value <= 0.05, false)
            as is_significant,
        identified.is_redundant,
        identified.is_closed,
        identified.is_maximal,
        identified.first_seen_at,
        identified.last_seen_at,
        identified.earlier_lift,
        identified.recent_lift,
        identified.lift_trend,
        identified.lift_trend_z,
        cast(identified.attached_revenue_amount as decimal(18, 4)) as attached_revenue_amount,
        cast(identified.attached_margin_amount as decimal(18, 4)) as attached_margin_amount,
        identified.model_version
    from identified
    inner join antecedent_names on identified.rule_id = antecedent_names.rule_id
    left join products
        on identified.item_level = 'product' and identified.consequent = products.product_id
)

select * from described
