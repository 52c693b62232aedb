with

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

versions as (
    select * from {{ ref('ml_customer_states__fit') }}
),

-- The whole history is filtered, as the state of a month depends on all months before it.
filtered as (
    select *
    from {{ ml_predict(
        ref('ml_customer_states__fit'), ref('ml_customer_states__training_set')
    ) }}
),

-- The last month that was over on the as-of date.
known_months as (
    select
        as_of_date,
        is_current,
        {{ date_add_months("date_trunc('month', as_of_date)", '-1') }} as last_month
    from as_of_dates
),

predictions as (
    select
        filtered.customer_id,
        known_months.as_of_date,
        known_months.is_current,
        filtered.month_start,
        filtered.purchase_day_count,
        filtered.state_id,
        filtered.state_name,
        filtered.state_probability,
        filtered.state_probabilities,
        filtered.next_state_probabilities,
        filtered.next_purchase_probability,
        filtered.next_expected_count as next_expected_purchase_days,
        filtered.state_entropy,
        versions.model_version,
        {{ build_timestamp() }} as predicted_at
    from filtered
    inner join known_months on filtered.month_start = known_months.last_month
    inner join versions on versions.is_champion
)

select * from predictions
