{#
    Stores the table macro search_products(query, n) in the database, in the schemas marts and main: BM25 (Robertson
    and Zaragoza 2009, k1 = 1.2, b = 0.75) over the terms of int_products__search_terms. A word that no product
    has stands for the most similar term (Jaro-Winkler at least 0.85), weighed by the similarity. A product whose
    number was typed comes first, and scores as if no other had that word.
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
        select distinct {{ word_stem('word') }} as word
        from (select unnest({{ text_tokens('query') }}) as word)
    ),

    known as (
        select
            words.word,
            vocabulary.term,
            1::double as similarity,
            vocabulary.usual_word,
            vocabulary.inverse_frequency
        from words
        inner join {{ vocabulary }} as vocabulary on words.word = vocabulary.term
    ),

    -- A number is right or wrong: it is like no other.
    alike as (
        select
            words.word,
            vocabulary.term,
            jaro_winkler_similarity(words.word, vocabulary.term) as similarity,
            vocabulary.usual_word,
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
            and not {{ text_matches('words.word', '[0-9]') }}
            and words.word not in (select known.word from known)
            and jaro_winkler_similarity(words.word, vocabulary.term) >= 0.85
    ),

    -- Two misspelt words may mean the same term: it counts once.
    wanted as (
        select
            term,
            max(similarity) as similarity,
            max(usual_word) as usual_word,
            max(inverse_frequency) as inverse_frequency
        from (
            from known
            union all by name
            select * exclude (place) from alike where place = 1
        )
        group by term
    ),

    corpus as (
        select
            max(product_count) as product_count,
            max(average_product_length) as average_product_length
        from {{ vocabulary }}
    ),

    codes as (
        select {{ product_code('typed') }} as code
        from (
            select unnest(
                list_append(
                    regexp_split_to_array(cast(query as varchar), '\s+'), cast(query as varchar)
                )
            ) as typed
        )
    ),

    found as (
        select
            terms.product_id,
            false as is_code,
            wanted.usual_word as matched_term,
            wanted.similarity * wanted.inverse_frequency * terms.term_frequency * 2.2
            / (terms.term_frequency
                + 1.2 * (0.25 + 0.75 * terms.product_length / corpus.average_product_length))
                as score
        from wanted
        inner join {{ terms }} as terms on wanted.term = terms.term
        cross join corpus
        union all
        select
            products.product_id,
            true as is_code,
            products.product_id as matched_term,
            2.2 * ln(1 + (coalesce(corpus.product_count, 0) + 0.5e0) / 1.5e0) as score
        from {{ products }} as products
        cross join corpus
        where {{ product_code('products.product_id') }} in (
            select codes.code from codes where codes.code <> ''
        )
    ),

    scored as (
        select
            product_id,
            bool_or(is_code) as is_code,
            sum(score order by matched_term, is_code) as score,
            list(distinct matched_term order by matched_term) as matched_terms
        from found
        group by product_id
    ),

    ranked as (
        select
            *,
            row_number() over (order by is_code desc, score desc, product_id) as search_rank
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
