with

levels as (
    select * from {{ ml_part(ref('ml_basket_rules__fit'), 'levels') }}
),

described as (
    select
        item_level,
        basket_count,
        skipped_basket_count,
        incomplete_row_count,
        repeated_row_count,
        least_basket_count,
        item_count,
        itemset_count,
        rule_count,
        longest_itemset,
        is_complete,
        recent_since_at,
        model_version
    from levels
)

select * from described
