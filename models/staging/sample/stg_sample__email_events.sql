{%- set raw_columns = ['event_id', 'message_id', 'type', 'time', 'url'] -%}

with

raw_email_events as (
    select * from {{ raw_table('sample', 'email_events', raw_columns) }}
),

email_messages as (
    select * from {{ ref('stg_sample__email_messages') }}
),

kept_messages as (
    select
        email_message_id,
        customer_id
    from email_messages
    where rejection_reason is null
),

typed as (
    select
        {{ clean_text('event_id') }} as email_event_id,
        {{ clean_text('message_id') }} as email_message_id,
        {{ parse_timestamp('time') }} as email_event_at,
        case {{ clean_code('type') }}
            when 'delivered' then 'delivered'
            when 'delivery' then 'delivered'
            when 'open' then 'open'
            when 'opened' then 'open'
            when 'click' then 'click'
            when 'clicked' then 'click'
            when 'bounce' then 'bounce'
            when 'bounced' then 'bounce'
            when 'unsubscribe' then 'unsubscribe'
            when 'unsubscribed' then 'unsubscribe'
            when 'complaint' then 'complaint'
            when 'spam_report' then 'complaint'
        end as email_event_type,
        {{ clean_text('url') }} as link_url,
        {{ row_as_struct(raw_columns) }} as raw_row
    from raw_email_events
),

judged as (
    select
        *,
        case
            when email_event_id is null then 'missing_key'
            when {{ impossible_date('raw_row.time', 'email_event_at') }} then 'impossible_date'
            when email_event_type is null then 'unknown_event_type'
        end as own_reason
    from typed
),

versioned as (
    select
        *,
        {{ version_columns(['email_event_id'], 'email_event_at') | indent(8) }}
    from judged
),

rejected as (
    select
        versioned.*,
        kept_messages.customer_id,
        case
            when versioned.own_reason is not null then versioned.own_reason
            {{ version_reason() | indent(8) }}
            when kept_messages.email_message_id is null then 'unknown_message'
        end as rejection_reason
    from versioned
    left join kept_messages on versioned.email_message_id = kept_messages.email_message_id
),

email_events as (
    select
        email_event_id,
        email_message_id,
        customer_id,
        email_event_at,
        email_event_type,
        link_url,
        {{ quarantine_columns('email_event_id') | indent(8) }}
    from rejected
)

select * from email_events
