{# A relation with one row per entity of the input contract: how many rows the shop kept of it and which
   connector delivers it (NULL: none does, the entity is an empty relation). #}
{% macro entity_row_counts() -%}
    {%- set entities = [
        'customers', 'products', 'orders', 'order_items', 'returns', 'payments', 'events',
        'page_requests', 'email_messages', 'email_events', 'support_messages', 'stock_levels',
        'competitor_prices', 'experiment_exposures',
    ] -%}
    (
    {%- for entity in entities %}
        {%- set connector = connector_of_entity(entity) %}
        select
            '{{ entity }}' as entity,
            cast({{ "'" ~ connector ~ "'" if connector else 'null' }} as {{ type_string() }})
                as connector,
            count(*) as kept_count
        from {{ ref('shop_' ~ entity) }}
        {%- if not loop.last %}
        union all
        {%- endif %}
    {%- endfor %}
    )
{%- endmacro %}
