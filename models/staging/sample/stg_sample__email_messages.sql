{%- set raw_columns = ['message_id', 'customer_id', 'sent_at', 'campaign', 'subject', 'variant'] -%}

with

raw_emails_sent as (
    select * from {{ raw_table('sample', 'emails_sent', raw_columns) }}
),

typed as (
    select
        {{ clean_text('message_id') }} as email_message_id,
        {{ clean_text('customer_id') }} as customer_id,
        {{ parse_timestamp('sent_at') }} as sent_at,
        {{ clean_text('campaign') }} as campaign_id,
        {{ clean_text('subject') }} as subject,
        {{ clean_text('variant') }} as subject_variant,
        {{ row_as_struct(raw_columns) }} as raw_row
    from raw_emails_sent
),

judged as (
    select
        *,
        case
            when email_message_id is null or customer_id is null then 'missing_key'
            when {{ impossible_date('raw_row.sent_at', 'sent_at') }} then 'impossible_date'
        end as own_reason
    from typed
),

versioned as (
    select
        *,
        {{ version_columns(['email_message_id'], 'sent_at') | indent(8) }}
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

email_messages as (
    select
        email_message_id,
        customer_id,
        sent_at,
        campaign_id,
        subject,
        subject_variant,
        {{ quarantine_columns('email_message_id') | indent(8) }}
    from rejected
)

select * from email_messages
