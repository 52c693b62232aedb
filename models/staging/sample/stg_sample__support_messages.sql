{%- set raw_columns = [
    'message_id', 'customer_id', 'order_id', 'created_at', 'channel', 'body', 'intent',
] -%}

with

raw_support_messages as (
    select * from {{ raw_table('sample', 'support_messages', raw_columns) }}
),

typed as (
    select
        {{ clean_text('message_id') }} as support_message_id,
        {{ clean_text('customer_id') }} as customer_id,
        {{ clean_text('order_id') }} as order_id,
        {{ parse_timestamp('created_at') }} as sent_at,
        {{ clean_code('channel') }} as channel,
        {{ clean_text('body') }} as message_text,
        {{ clean_code('intent') }} as intent_label,
        {{ row_as_struct(raw_columns) }} as raw_row
    from raw_support_messages
),

judged as (
    select
        *,
        case
            when support_message_id is null then 'missing_key'
            when {{ impossible_date('raw_row.created_at', 'sent_at') }} then 'impossible_date'
        end as own_reason
    from typed
),

versioned as (
    select
        *,
        {{ version_columns(['support_message_id'], 'sent_at') | indent(8) }}
    from judged
),

rejected as (
    select
        *,
        case
            when own_reason is not null then own_reason
            {{ version_reason() | indent(8) }}
        end as rejection_reason
    from versioned
),

support_messages as (
    select
        support_message_id,
        customer_id,
        order_id,
        sent_at,
        channel,
        message_text,
        intent_label,
        {{ quarantine_columns('support_message_id') | indent(8) }}
    from rejected
)

select * from support_messages
