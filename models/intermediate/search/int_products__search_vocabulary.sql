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

counted as (
    select
        term,
        word,
        count(*) as word_product_count
    from terms
    group by term, word
),

ranked as (
    select
        term,
        word,
        sum(word_product_count) over (partition by term) as term_product_count,
        row_number() over (partition by term order by word_product_count desc, word) as word_rank
    from counted
),

vocabulary as (
    select
        term,
        word as usual_word,
        cast(term_product_count as bigint) as term_product_count
    from ranked
    where word_rank = 1
),

weighed as (
    select
        vocabulary.term,
        vocabulary.usual_word,
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
