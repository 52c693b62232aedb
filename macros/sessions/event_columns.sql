{# What the source says about an event, in the order of the contract of shop_events. The columns that tell
   how the event came in (batch_id, ingest_number, event_version) are not among them. #}
{% macro event_columns() -%}
    {%- set columns = [] -%}
    {%- for name in [
        'event_id', 'visitor_id', 'customer_id', 'event_at', 'received_at', 'event_name', 'page_url',
        'page_path', 'page_referrer', 'product_id', 'quantity', 'value_amount', 'currency_code', 'order_id',
        'search_term', 'traffic_source', 'traffic_medium', 'traffic_campaign', 'device_category',
        'operating_system', 'browser', 'country_code', 'ip_address', 'user_agent'
    ] -%}
        {%- do columns.append({
            'name': name,
            'type': {
                'event_at': 'timestamp', 'received_at': 'timestamp', 'quantity': 'bigint',
                'value_amount': 'decimal(18,4)'
            }.get(name, type_string())
        }) -%}
    {%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}
