{#
    Step `sold`: of the steps `scores` and `products` the scores of what may be sold today, ranked anew. Scores are kept
    from build to build; what may be sold is asked in each.
#}
{% macro sold_scores(rank) -%}
sold as (
    select
        scores.*,
        row_number() over (
            partition by scores.customer_id order by scores.score_rank
        ) as {{ rank }}
    from scores
    left join products on scores.product_id = products.product_id
    where {{ can_be_sold('products') }}
)
{%- endmacro %}
