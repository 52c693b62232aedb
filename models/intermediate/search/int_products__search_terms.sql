with

products as (
    select * from {{ ref('int_products__listed') }}
),

catalogue as (
    select * from {{ ref('shop_products') }}
),

-- The name stands three times, what the product is filed under twice.
fields as (
    select
        product_id,
        product_name as field_text,
        3 as field_weight
    from products
    union all
    select
        product_id,
        concat_ws(' ', category, subcategory, brand) as field_text,
        2 as field_weight
    from products
    union all
    select
        product_id,
        product_description as field_text,
        1 as field_weight
    from catalogue
),

words as (
    select
        product_id,
        field_weight,
        {{ exploded_list(text_tokens('field_text')) }} as word
    from fields
),

stemmed as (
    select
        product_id,
        field_weight,
        word,
        {{ word_stem('word') }} as term
    from words
),

counted as (
    select
        product_id,
        term,
        min(word) as word,
        cast(sum(field_weight) as bigint) as term_frequency
    from stemmed
    group by product_id, term
),

measured as (
    select
        product_id,
        term,
        word,
        term_frequency,
        cast(sum(term_frequency) over (partition by product_id) as bigint) as product_length
    from counted
)

select * from measured
