with

itemsets as (
    select * from {{ ml_part(ref('ml_basket_rules__fit'), 'itemsets') }}
),

products as (
    select * from {{ ref('int_products__listed') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

identified as (
    select
        itemsets.*,
        {{ hash_text(['itemsets.item_level', list_text('itemsets.items')]) }} as itemset_id,
        as_of_dates.as_of_date
    from itemsets
    inner join as_of_dates on as_of_dates.is_current
),

members as (
    select
        itemset_id,
        item_level,
        {{ exploded_list('items') }} as item_id
    from identified
),

member_names as (
    select
        members.itemset_id,
        {{ ordered_text('coalesce(products.product_name, members.item_id)', 'members.item_id') }}
            as item_names
    from members
    left join products
        on members.item_level = 'product' and members.item_id = products.product_id
    group by members.itemset_id
),

described as (
    select
        identified.itemset_id,
        identified.as_of_date,
        identified.item_level,
        identified.items,
        member_names.item_names,
        identified.item_count,
        identified.basket_count,
        identified.support,
        identified.is_closed,
        identified.is_maximal,
        identified.first_seen_at,
        identified.last_seen_at,
        identified.model_version
    from identified
    inner join member_names on identified.itemset_id = member_names.itemset_id
)

select * from described
