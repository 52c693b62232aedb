{%- set raw_columns = [
    'event_id', 'cookie_id', 'user_id', 'event_time', 'received_time', 'event', 'url',
    'referrer', 'product_id', 'quantity', 'value', 'currency', 'order_id', 'search_term',
    'utm_source', 'utm_medium', 'utm_campaign', 'device', 'os', 'browser', 'country', 'ip',
    'user_agent', 'load_id',
] -%}

with

raw_events as (
    select * from {{ raw_table('sample', 'events', raw_columns, parts=['1', '2']) }}
),

country_spellings as (
    select * from {{ ref('country_spellings') }}
),

currencies as (
    select * from {{ ref('currencies') }}
),

orders as (
    select * from {{ ref('stg_sample__orders') }}
),

kept_orders as (
    select
        order_id,
        currency_code,
        exchange_rate
    from orders
    where rejection_reason is null
),

typed as (
    select
        {{ clean_text('event_id') }} as raw_event_id,
        {{ clean_text('cookie_id') }} as visitor_id,
        {{ clean_text('user_id') }} as customer_id,
        {{ parse_timestamp('event_time') }} as event_at,
        {{ parse_timestamp('received_time') }} as received_at,
        {{ canonical_event_name('event') }} as event_name,
        {{ clean_text('url') }} as page_url,
        {{ url_path('url') }} as page_path,
        {{ clean_text('referrer') }} as page_referrer,
        {{ clean_text('product_id') }} as product_id,
        {{ parse_whole_number('quantity') }} as quantity,
        {{ parse_amount('value') }} as value_amount,
        upper({{ clean_text('currency') }}) as currency_spelling,
        {{ clean_text('order_id') }} as order_id,
        lower({{ clean_text('search_term') }}) as search_term,
        lower({{ clean_text('utm_source') }}) as traffic_source,
        lower({{ clean_text('utm_medium') }}) as traffic_medium,
        {{ clean_text('utm_campaign') }} as traffic_campaign,
        {{ clean_code('device') }} as device_category,
        {{ clean_text('os') }} as operating_system,
        {{ clean_text('browser') }} as browser,
        lower({{ clean_text('country') }}) as country_spelling,
        lower({{ clean_text('ip') }}) as ip_address,
        {{ clean_text('user_agent') }} as user_agent,
        {{ clean_text('load_id') }} as load_id,
        {{ row_as_struct(raw_columns) }} as raw_row
    from raw_events
),

rejected as (
    select
        *,
        case
            when raw_event_id is null or event_name is null then 'missing_key'
            when
                {{ impossible_date('raw_row.event_time', 'event_at') }}
                or {{ impossible_date('raw_row.received_time', 'received_at', required=false) }}
                -- A device's clock may be a little fast; a day ahead of ours it tells nothing.
                or event_at > received_at + interval 1 day
                then 'impossible_date'
            when
                {{ not_a_number('raw_row.quantity', 'quantity', required=false) }}
                or {{ not_a_number('raw_row.value', 'value_amount', required=false) }}
                then 'not_a_number'
        end as rejection_reason
    from typed
),

-- Copies and late versions of an event are for shop_events to fold: it sees all loads at once.
events as (
    select
        {{ hash_text(
            ['raw_event_id', 'visitor_id', epoch_microseconds('event_at'), 'event_name']
        ) }} as event_id,
        visitor_id,
        customer_id,
        event_at,
        coalesce(received_at, event_at) as received_at,
        event_name,
        page_url,
        page_path,
        page_referrer,
        product_id,
        quantity,
        -- Without a currency a value is in the reporting one; without a rate it cannot be told.
        {{ convert_amount('value_amount', "case
            when rejected.currency_spelling is null then 1
            when currencies.currency_code = '" ~ var("martlet_currency") ~ "' then 1
            when currencies.currency_code = kept_orders.currency_code then kept_orders.exchange_rate
        end") }} as value_amount,
        currencies.currency_code,
        rejected.order_id,
        search_term,
        traffic_source,
        traffic_medium,
        traffic_campaign,
        device_category,
        operating_system,
        browser,
        country_spellings.country_code,
        ip_address,
        user_agent,
        coalesce(
            load_id, cast(cast(coalesce(received_at, event_at) as date) as string), 'unknown'
        ) as batch_id,
        row_number() over (order by raw_event_id, load_id, raw_row) as raw_row_number,
        {{ quarantine_columns('raw_event_id') | indent(8) }}
    from rejected
    left join currencies on rejected.currency_spelling = currencies.currency_code
    left join kept_orders on rejected.order_id = kept_orders.order_id
    left join country_spellings on rejected.country_spelling = country_spellings.spelling
)

select * from events
