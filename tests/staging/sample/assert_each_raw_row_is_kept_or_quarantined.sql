{# Nothing gets lost and nothing is made up: for every entity the sample connector delivers, the
   rows of the raw table are the rows kept plus the rows quarantined. Events are counted in staging,
   because shop_events folds the deliveries of an event into one row. #}
{{ config(enabled=target.profile_name == "martlet" and "sample" in var("martlet_connector")) }}

{%- set raw_tables = {
    'customers': ['customers', 'customer_id'], 'products': ['products', 'product_id'],
    'orders': ['orders', 'order_id'], 'order_items': ['order_lines', 'line_id'],
    'returns': ['refunds', 'refund_id'], 'payments': ['payments', 'payment_id'],
    'events': ['events', 'event_id'], 'page_requests': ['page_requests', 'request_id'],
    'email_messages': ['emails_sent', 'message_id'], 'email_events': ['email_events', 'event_id'],
    'support_messages': ['support_messages', 'message_id'],
    'stock_levels': ['stock', 'product_id'],
    'competitor_prices': ['competitor_prices', 'product_id'],
    'experiment_exposures': ['experiment_exposures', 'experiment'],
} -%}

{%- set entities = [] -%}
{%- for entity in raw_tables if connector_of_entity(entity) == 'sample' -%}
    {%- do entities.append(entity) -%}
{%- endfor %}

with

raw_counts as (
    {%- for entity in entities %}
        {%- set parts = ['1', '2'] if entity == 'events' else [] %}
        select
            '{{ entity }}' as entity,
            count(*) as row_count
        from {{ raw_table('sample', raw_tables[entity][0], [raw_tables[entity][1]], parts) }}
        {%- if not loop.last %}
            union all
        {%- endif %}
    {%- endfor %}
),

kept_counts as (
    {%- for entity in entities %}
        select
            '{{ entity }}' as entity,
            count(*) as row_count
        {%- if entity == 'events' %}
            from {{ staged_entity(entity) }}
            where rejection_reason is null
        {%- else %}
            from {{ ref('shop_' ~ entity) }}
        {%- endif %}
        {%- if not loop.last %}
            union all
        {%- endif %}
    {%- endfor %}
),

quarantine as (
    select * from {{ ref('shop_quarantine') }}
),

quarantined_counts as (
    select
        entity,
        count(*) as row_count
    from quarantine
    group by entity
),

compared as (
    select
        raw_counts.entity,
        raw_counts.row_count as raw_count,
        kept_counts.row_count as kept_count,
        coalesce(quarantined_counts.row_count, 0) as quarantined_count
    from raw_counts
    inner join kept_counts on raw_counts.entity = kept_counts.entity
    left join quarantined_counts on raw_counts.entity = quarantined_counts.entity
),

lost_or_made_up as (
    select *
    from compared
    where raw_count <> kept_count + quarantined_count
)

select * from lost_or_made_up
