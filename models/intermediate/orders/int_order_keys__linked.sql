{#- Sail deletes nothing by a subquery: there the table is made whole. -#}
{{ config(
    materialized='incremental' if target.type == 'duckdb' else 'table',
    incremental_strategy='delete+insert',
    unique_key='order_id',
    on_schema_change='fail',
    post_hook="{% if target.type == 'duckdb' %}delete from {{ this }} where order_id not in (select order_id from {{ ref('shop_orders') }}){% endif %}"
) }}

with

orders as (
    select * from {{ ref('shop_orders') }}
),

classified_orders as (
    select * from {{ ref('int_orders__classified') }}
    where not is_test
),

payments as (
    select * from {{ ref('shop_payments') }}
),

payments_of_orders as (
    select
        order_id,
        {{ value_at_min('card_fingerprint', 'case when card_fingerprint is not null then paid_at end') }}
            as card_fingerprint,
        min(charged_back_at) as charged_back_at
    from payments
    group by order_id
),

described as (
    select
        orders.order_id,
        orders.ordered_at,
        orders.customer_id,
        orders.device_id,
        {{ keyed_hash('orders.ip_address') }} as ip_address_hash,
        {{ keyed_hash('orders.email') }} as email_hash,
        payments_of_orders.card_fingerprint,
        payments_of_orders.charged_back_at,
        orders.total_amount
    from orders
    inner join classified_orders on orders.order_id = classified_orders.order_id
    left join payments_of_orders on orders.order_id = payments_of_orders.order_id
),

versioned as (
    select
        *,
        -- Who orders, as far as the order itself says.
        coalesce(customer_id, email_hash, device_id, order_id) as person_id,
        {{ hash_text([
            'ordered_at', 'customer_id', 'device_id', 'ip_address_hash', 'email_hash',
            'card_fingerprint', 'charged_back_at', 'total_amount'
        ]) }} as order_checksum
    from described
),

{% if is_incremental() -%}
stored as (
    select distinct
        order_id,
        order_checksum
    from {{ this }}
),

-- A charge-back weeks later changes the order: it is linked again.
changed as (
    select versioned.*
    from versioned
    left join stored
        on versioned.order_id = stored.order_id
        and versioned.order_checksum = stored.order_checksum
    where stored.order_id is null
),
{%- else -%}
changed as (
    select * from versioned
),
{%- endif %}

linked as (
    {%- for kind, column in order_risk_keys().items() %}
    select
        order_id,
        '{{ kind }}' as key_kind,
        {{ column }} as key_value,
        ordered_at,
        person_id,
        total_amount,
        charged_back_at,
        order_checksum
    from changed
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

-- Rows of one key lie together: a look-up reads a few blocks of the table.
select
    order_id,
    key_kind,
    key_value,
    ordered_at,
    person_id,
    total_amount,
    charged_back_at,
    order_checksum
from linked
order by key_kind, key_value, ordered_at
