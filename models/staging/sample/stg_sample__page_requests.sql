{%- set raw_columns = [
    'request_id', 'time', 'ip', 'cookie_id', 'method', 'path', 'query', 'status', 'bytes',
    'referrer', 'user_agent', 'duration_ms', 'load_id',
] -%}

with

raw_page_requests as (
    select * from {{ raw_table('sample', 'page_requests', raw_columns) }}
),

typed as (
    select
        {{ clean_text('request_id') }} as request_id,
        {{ parse_timestamp('time') }} as requested_at,
        lower({{ clean_text('ip') }}) as ip_address,
        {{ clean_text('user_agent') }} as user_agent,
        {{ clean_text('cookie_id') }} as visitor_id,
        upper({{ clean_text('method') }}) as http_method,
        {{ clean_text('path') }} as request_path,
        {{ clean_text('query') }} as query_string,
        {{ parse_whole_number('status') }} as status_code,
        {{ parse_whole_number('bytes') }} as response_bytes,
        {{ clean_text('referrer') }} as referrer,
        {{ parse_amount('duration_ms') }} as duration_ms,
        {{ clean_text('load_id') }} as load_id,
        {{ row_as_struct(raw_columns) }} as raw_row
    from raw_page_requests
),

judged as (
    select
        *,
        case
            when request_id is null then 'missing_key'
            when {{ impossible_date('raw_row.time', 'requested_at') }} then 'impossible_date'
            when
                {{ not_a_number('raw_row.status', 'status_code', required=false) }}
                or status_code not between 0 and 999
                or {{ not_a_number('raw_row.bytes', 'response_bytes', required=false) }}
                or {{ not_a_number('raw_row.duration_ms', 'duration_ms', required=false) }}
                then 'not_a_number'
        end as own_reason
    from typed
),

versioned as (
    select
        *,
        {{ version_columns(['request_id'], 'load_id') | indent(8) }}
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

page_requests as (
    select
        request_id,
        requested_at,
        ip_address,
        user_agent,
        visitor_id,
        http_method,
        request_path,
        query_string,
        cast(status_code as integer) as status_code,
        response_bytes,
        referrer,
        cast(duration_ms as double) as duration_ms,
        coalesce(load_id, cast(cast(requested_at as date) as string), 'unknown') as batch_id,
        {{ quarantine_columns('request_id') | indent(8) }}
    from rejected
)

select * from page_requests
