{# Fails when a recommender is shipped that is not better than popularity and than the customer's own most
   frequent products: the lower bound of each gain's interval must be above 0 on purchases that nothing was
   chosen by, in NDCG or, for the next basket, whose products have no order, in recall. A shop whose customers
   show no such thing ships the better baseline, and says so. #}
{% test shipped_recommender_beats_baselines(model) %}

    select *
    from {{ model }}
    where
        is_shipped
        and target = 'all'
        and split = 'judged'
        and case
            when shipped_kind = 'blend' then not (
                (ndcg_gain_over_popularity_low > 0 and ndcg_gain_over_personal_frequency_low > 0)
                or (
                    recommendation_task = 'next_basket'
                    and recall_gain_over_popularity_low > 0
                    and recall_gain_over_personal_frequency_low > 0
                )
            )
            else shipping_status <> 'baseline_ships'
        end

{% endtest %}
