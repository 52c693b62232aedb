with export_rows as (

    select * from {{ ref('stg_ga4__export_rows') }}

),

countries as (

    select * from {{ ref('ga4_countries') }}

),

dated_rows as (

    select
        *,
        substr(batch_id, length(batch_id) - 7, 8) as batch_day,
        lower(coalesce(analytics_storage, '')) = 'no' as is_consent_denied,
        {{ text_replace_all('lower(trim(event_name))', '[^a-z0-9_]+', '_') }} as sent_name,
        coalesce(ecommerce_transaction_id, param_transaction_id) as order_id,
        -- Outside of 1970 to 2099 there are numbers, but no times.
        case
            when event_timestamp between 0 and 4102444799999999 then event_timestamp
        end as batch_microseconds,
        -- Google records nothing later than 72 hours: a larger offset, or a negative one, is a
        -- wrong clock.
        case
            when event_server_timestamp_offset between 0 and 259200000000
                then event_server_timestamp_offset
            else 0
        end as upload_microseconds,
        nullif(param_source, '(direct)') as sent_source
    from export_rows

),

timed_rows as (

    select
        *,
        cast(
            substr(batch_day, 1, 4)
            || '-' || substr(batch_day, 5, 2)
            || '-' || substr(batch_day, 7, 2) as date
        ) as batch_date,
        -- The time of an event is the time its batch was sent. A shop that also sends the true time
        -- (parameter event_time_msec) gets it, when it lies in the 72 hours before the batch.
        case
            when
                event_time_msec > batch_microseconds / 1000.0 - 259200000
                and event_time_msec <= batch_microseconds / 1000.0
                then event_time_msec * 1000
            else batch_microseconds
        end as event_microseconds
    from dated_rows

),

named_rows as (

    select
        timed_rows.*,
        {{ hash_text([
            'stream_id', 'user_pseudo_id', 'event_timestamp', 'sent_name',
            'event_bundle_sequence_id', 'batch_page_id', 'batch_ordering_id', 'batch_event_index',
            'ga_session_id', 'page_location', 'order_id', 'content_hash',
        ]) }} as event_id,
        {{ timestamp_from_microseconds('event_microseconds') }} as event_at,
        {{ timestamp_from_microseconds('batch_microseconds + upload_microseconds') }}
            as received_at,
        {{ timestamp_from_microseconds('batch_microseconds') }} as collected_at,
        {{ canonical_event_name('sent_name') }} as canonical_name,
        -- What the event itself says about its campaign; a click on an ad may carry its number
        -- alone. The visitor's first source and Google's last click are left out: attribution is
        -- done from the events.
        case
            when manual_source is not null then 'manual'
            when coalesce(gclid, param_gclid) is not null then 'google_ads'
            when dclid is not null then 'display'
            when srsltid is not null then 'shopping'
            when sent_source is not null then 'parameter'
        end as campaign_origin
    from timed_rows

),

judged_rows as (

    select
        *,
        case
            when canonical_name is null or canonical_name in ('', '_') then 'missing_key'
            when event_timestamp is null then 'missing_time'
            -- A daily table holds one day of the shop's calendar and little that was sent late.
            when collected_at is null then 'impossible_date'
            when
                collected_at < cast({{ date_add_days('batch_date', -7) }} as timestamp)
                or collected_at >= cast({{ date_add_days('batch_date', 3) }} as timestamp)
                then 'impossible_date'
        end as rejection_reason
    from named_rows

),

events as (

    select
        judged_rows.event_id,
        -- Without consent nothing names the visitor: the event counts, but belongs to no session.
        case
            when not judged_rows.is_consent_denied
                then coalesce(judged_rows.stream_id || '.', '') || judged_rows.user_pseudo_id
        end as visitor_id,
        case when not judged_rows.is_consent_denied then judged_rows.user_id end as customer_id,
        judged_rows.event_at,
        judged_rows.received_at,
        judged_rows.canonical_name as event_name,
        judged_rows.page_location as page_url,
        {{ url_path('judged_rows.page_location') }} as page_path,
        judged_rows.page_referrer,
        judged_rows.item_id as product_id,
        judged_rows.item_quantity as quantity,
        -- What does not fit (1e20, infinity) is no amount.
        try_cast(
            coalesce(
                judged_rows.event_value,
                case judged_rows.canonical_name
                    when 'purchase' then judged_rows.purchase_revenue
                    when 'refund' then judged_rows.refund_value
                end
            ) as decimal(18, 4)
        ) as value_amount,
        upper(judged_rows.currency) as currency_code,
        judged_rows.order_id,
        judged_rows.search_term,
        case judged_rows.campaign_origin
            when 'manual' then judged_rows.manual_source
            when 'google_ads' then 'google'
            when 'display' then 'dv360'
            when 'shopping' then 'google'
            when 'parameter' then judged_rows.sent_source
        end as traffic_source,
        case judged_rows.campaign_origin
            when 'manual' then judged_rows.manual_medium
            when 'google_ads' then 'cpc'
            when 'display' then 'cpm'
            when 'shopping' then 'organic'
            when 'parameter' then judged_rows.param_medium
        end as traffic_medium,
        coalesce(judged_rows.manual_campaign_name, judged_rows.param_campaign) as traffic_campaign,
        lower(judged_rows.device_category) as device_category,
        judged_rows.operating_system,
        judged_rows.browser,
        countries.country_code,
        cast(null as string) as ip_address,
        cast(null as string) as user_agent,
        judged_rows.batch_id,
        judged_rows.source_file,
        judged_rows.file_row_number,
        judged_rows.rejection_reason,
        judged_rows.event_id as source_key,
        case
            when judged_rows.rejection_reason is not null then {{ row_as_json([
                'batch_id', 'source_file', 'file_row_number', 'event_timestamp', 'event_name',
                'stream_id', 'user_pseudo_id', 'user_id', 'event_bundle_sequence_id',
                'batch_page_id', 'batch_ordering_id', 'batch_event_index', 'page_location',
            ]) }}
        end as source_row
    from judged_rows
    left join countries
        on replace(judged_rows.country_name, '’', '''') = countries.country_name

)

select * from events
