{%- set raw_columns = [
    'experiment', 'variant', 'cookie_id', 'customer_id', 'exposed_at', 'propensity',
] -%}

with

raw_experiment_exposures as (
    select * from {{ raw_table('sample', 'experiment_exposures', raw_columns, optional=['propensity']) }}
),

typed as (
    select
        {{ clean_text('experiment') }} as experiment_id,
        {{ clean_code('variant') }} as variant,
        {{ clean_text('cookie_id') }} as visitor_id,
        {{ clean_text('customer_id') }} as customer_id,
        {{ parse_timestamp('exposed_at') }} as exposed_at,
        try_cast({{ clean_text('propensity') }} as double) as propensity,
        {{ row_as_struct(raw_columns) }} as raw_row
    from raw_experiment_exposures
),

judged as (
    select
        *,
        {{ hash_text([
            'experiment_id', 'variant', 'visitor_id', 'customer_id',
            epoch_microseconds('exposed_at'),
        ]) }} as exposure_id,
        case
            when experiment_id is null or variant is null then 'missing_key'
            when visitor_id is null and customer_id is null then 'missing_key'
            when {{ impossible_date('raw_row.exposed_at', 'exposed_at') }} then 'impossible_date'
            when {{ not_a_number('raw_row.propensity', 'propensity', required=false) }} then 'not_a_number'
            -- NaN is above every number.
            when propensity <= 0 or propensity > 1 then 'impossible_probability'
        end as own_reason
    from typed
),

versioned as (
    select
        *,
        {{ version_columns(['exposure_id'], 'exposed_at') | indent(8) }}
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

experiment_exposures as (
    select
        exposure_id,
        experiment_id,
        variant,
        visitor_id,
        customer_id,
        exposed_at,
        propensity,
        {{ quarantine_columns(
            "experiment_id || '|' || coalesce(visitor_id, customer_id) || '|' || raw_row.exposed_at"
        ) | indent(8) }}
    from rejected
)

select * from experiment_exposures
