with

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

messages as (
    select * from {{ ref('shop_email_messages') }}
),

email_events as (
    select * from {{ ref('shop_email_events') }}
),

-- The day a message was first opened, clicked or bounced: it counts from the next day on.
reactions as (
    select
        email_message_id,
        {{ local_date("min(case when email_event_type = 'open' then email_event_at end)") }}
            as opened_date,
        {{ local_date("min(case when email_event_type = 'click' then email_event_at end)") }}
            as clicked_date,
        {{ local_date("min(case when email_event_type = 'bounce' then email_event_at end)") }}
            as bounced_date
    from email_events
    group by email_message_id
),

sent as (
    select
        messages.customer_id,
        {{ local_date('messages.sent_at') }} as sent_date,
        reactions.opened_date,
        reactions.clicked_date,
        reactions.bounced_date
    from messages
    left join reactions on messages.email_message_id = reactions.email_message_id
),

recording as (
    select min(sent_date) as recorded_from
    from sent
),

-- Half-open windows: the last 30 days, and the 90 days before them for the trend.
recent as (
    select
        sent.customer_id,
        as_of_dates.as_of_date,
        case
            when sent.sent_date >= {{ date_add_days('as_of_dates.as_of_date', -30) }} then 1 else 0
        end as is_last_30_days,
        case when sent.opened_date < as_of_dates.as_of_date then 1 else 0 end as is_opened,
        case when sent.clicked_date < as_of_dates.as_of_date then 1 else 0 end as is_clicked
    from sent
    inner join as_of_dates
        on sent.sent_date < as_of_dates.as_of_date
        and sent.sent_date >= {{ date_add_days('as_of_dates.as_of_date', -120) }}
        and (sent.bounced_date is null or sent.bounced_date >= as_of_dates.as_of_date)
    -- Before that, no messages means no records.
    inner join recording
        on recording.recorded_from <= {{ date_add_days('as_of_dates.as_of_date', -30) }}
),

windows as (
    select
        customer_id,
        as_of_date,
        cast(sum(is_last_30_days) as integer) as email_sent_count_30_days,
        cast(sum(is_last_30_days * is_opened) as integer) as email_opened_count_30_days,
        cast(sum(is_last_30_days * is_clicked) as integer) as email_clicked_count_30_days,
        cast(sum(1 - is_last_30_days) as integer) as email_sent_count_previous_90_days,
        cast(sum((1 - is_last_30_days) * is_opened) as integer)
            as email_opened_count_previous_90_days,
        cast(sum((1 - is_last_30_days) * is_clicked) as integer)
            as email_clicked_count_previous_90_days
    from recent
    group by customer_id, as_of_date
)

select * from windows
