{#
    What each customer's recommendations depend on, as a text: with the same key the stored rows are those that
    scoring again would give. More products are kept than shown, as some may no longer be sold.
#}
{% macro scoring_keys(fit) -%}
champion as (
    select
        model_version,
        trained_at
    from {{ fit }}
    where is_champion
),

scoring_keys as (
    select
        histories.customer_id,
        histories.as_of_date,
        champion.model_version,
        concat(
            histories.history_key, ' ', cast(champion.model_version as {{ dbt.type_string() }}), ' ',
            cast(champion.trained_at as {{ dbt.type_string() }}), ' {{ kept_recommendations() }}'
        ) as scoring_key
    from {{ ref('ml_recommendations__histories') }} as histories
    cross join champion
)
{%- endmacro %}
