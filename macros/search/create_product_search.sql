{#
    Stores the table macro search_products(query, n) in the database, in the schemas marts and main: BM25 (Robertson
    and Zaragoza 2009, k1 = 1.2, b = 0.75) over the terms of int_products__search_terms. A word that no product
    has stands for the most similar term (Jaro-Winkler at least 0.85), weighed by the similarity.
#}
{% macro create_product_search(vocabulary) -%}
    {{ return(adapter.dispatch('create_product_search', 'martlet')(vocabulary)) }}
{%- endmacro %}

{% macro default__create_product_search(vocabulary) -%}
{%- endmacro %}

{% macro duckdb__create_product_search(vocabulary) -%}
{%- set terms = ref('int_products__search_terms').include(database=false) -%}
{%- set vocabulary = vocabulary.include(database=false) -%}
{%- set products = ref('int_products__listed').include(database=false) -%}
create schema if not exists {{ adapter.quote(target.database) }}.marts;
create or replace macro {{ adapter.quote(target.database) }}.marts.search_products(query, n := 10) as table (
    with words as (
        select distinct unnest({{ text_tokens('query') }}) as word
    ),

    known as (
        select
            words.word,
            vocabulary.term,
            1::double as similarity,
            vocabulary.inverse_frequency
        from words
        inner join {{ vocabulary }} as vocabulary on words.word = vocabulary.term
    ),

    alike as (
        select
            words.word,
            vocabulary.term,
            jaro_winkler_similarity(words.word, vocabulary.term) as similarity,
            vocabulary.inverse_frequency,
            row_number() over (
                partition by words.word
                order by
                    jaro_winkler_similarity(words.word, vocabulary.term) desc,
                    vocabulary.term_product_count desc,
                    vocabulary.term
            ) as place
        from words
        cross join {{ vocabulary }} as vocabulary
        where
            length(words.word) >= 3
            and words.word not in (select known.word from known)
            and jaro_winkler_similarity(words.word, vocabulary.term) >= 0.85
    ),

    -- Two misspelt words may mean the same term: it counts once.
    wanted as (
        select
            term,
            max(similarity) as similarity,
            max(inverse_frequency) as inverse_frequency
        from (
            select term, similarity, inverse_frequency from known
            union all
            select term, similarity, inverse_frequency from alike where place = 1
        )
        group by term
    ),

    scored as (
        select
            terms.product_id,
            sum(
                wanted.similarity * wanted.inverse_frequency * terms.term_frequency * 2.2
                / (terms.term_frequency
                    + 1.2 * (0.25 + 0.75 * terms.product_length / corpus.average_product_length))
                order by wanted.term
            ) as score,
            list(wanted.term order by wanted.term) as matched_terms
        from wanted
        inner join {{ terms }} as terms on wanted.term = terms.term
        cross join (
            select max(average_product_length) as average_product_length from {{ vocabulary }}
        ) as corpus
        group by terms.product_id
    ),

    ranked as (
        select *, row_number() over (order by score desc, product_id) as search_rank
        from scored
    )

    select
        cast(ranked.search_rank as integer) as search_rank,
        ranked.product_id,
        products.product_name,
        products.category,
        products.subcategory,
        products.brand,
        products.list_price_amount,
        products.is_active,
        ranked.score,
        ranked.matched_terms
    from ranked
    inner join {{ products }} as products on ranked.product_id = products.product_id
    where ranked.search_rank <= n
    order by ranked.search_rank
);
create or replace macro {{ adapter.quote(target.database) }}.main.search_products(query, n := 10) as table (
    select * from marts.search_products(query, n := n)
);
{%- endmacro %}
