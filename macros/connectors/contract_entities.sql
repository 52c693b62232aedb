{# The entities of the input contract: for each there is a model shop_<entity>. #}
{% macro contract_entities() -%}
    {{ return([
        'customers', 'products', 'orders', 'order_items', 'returns', 'payments', 'events', 'page_requests',
        'email_messages', 'email_events', 'support_messages', 'stock_levels', 'competitor_prices',
        'experiment_exposures',
    ]) }}
{%- endmacro %}
