{#
    What an uplift model may look at: few features, since an experiment has few customers and a
    difference of two models twice the noise of one.
#}
{% macro retention_features(relation) -%}
    {%- for name in [
        'customer_id', 'as_of_date', 'recency_days', 'tenure_days', 'order_count',
        'order_count_365_days', 'mean_gap_days', 'recency_gap_ratio', 'spend_amount',
        'spend_amount_365_days', 'average_order_amount', 'return_rate', 'discount_rate_365_days',
        'acquisition_channel',
    ] %}
        {{ relation }}.{{ name }}
        {{- "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}
