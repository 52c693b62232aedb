{%- set raw_columns = [
    'customer_id', 'email', 'created_at', 'country', 'city', 'accepts_marketing', 'channel',
    'campaign', 'is_test', 'updated_at',
] -%}

with

raw_customers as (
    select * from {{ raw_table('sample', 'customers', raw_columns) }}
),

country_spellings as (
    select * from {{ ref('country_spellings') }}
),

typed as (
    select
        {{ clean_text('customer_id') }} as customer_id,
        lower({{ clean_text('email') }}) as email,
        {{ parse_timestamp('created_at') }} as registered_at,
        lower({{ clean_text('country') }}) as country_spelling,
        {{ clean_text('city') }} as city,
        {{ clean_code('channel') }} as acquisition_channel,
        {{ clean_code('campaign') }} as acquisition_campaign,
        {{ parse_boolean('accepts_marketing') }} as accepts_marketing,
        coalesce({{ parse_boolean('is_test') }}, false) as is_test,
        {{ parse_timestamp('updated_at') }} as updated_at,
        {{ row_as_struct(raw_columns) }} as raw_row
    from raw_customers
),

judged as (
    select
        *,
        case
            when customer_id is null then 'missing_key'
            when {{ impossible_date('raw_row.created_at', 'registered_at') }} then 'impossible_date'
        end as own_reason
    from typed
),

versioned as (
    select
        *,
        {{ version_columns(['customer_id'], 'updated_at') | indent(8) }}
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

customers as (
    select
        customer_id,
        email,
        registered_at,
        country_spellings.country_code,
        city,
        acquisition_channel,
        acquisition_campaign,
        accepts_marketing,
        is_test,
        updated_at,
        {{ quarantine_columns('customer_id') | indent(8) }}
    from rejected
    left join country_spellings on rejected.country_spelling = country_spellings.spelling
)

select * from customers
