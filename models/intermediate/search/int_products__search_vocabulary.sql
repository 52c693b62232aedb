with

terms as (
    select * from {{ ref('int_products__search_terms') }}
),

corpus as (
    select
        count(*) as product_count,
        avg(cast(product_length as double)) as average_product_length
    from (
        select
            product_id,
            max(product_length) as product_length
        from terms
        group by product_id
    ) as product_lengths
),

vocabulary as (
    select
        term,
        count(*) as term_product_count
    from terms
    group by term
),

weighed as (
    select
        vocabulary.term,
        vocabulary.term_product_count,
        ln(
            1 + (corpus.product_count - vocabulary.term_product_count + 0.5e0)
            / (vocabulary.term_product_count + 0.5e0)
        ) as inverse_frequency,
        corpus.product_count,
        corpus.average_product_length
    from vocabulary
    cross join corpus
)

select * from weighed
