-- Every row of the quarantine is counted once per entity and once per reason.
with

quarantine as (
    select count(*) as row_count
    from {{ ref('shop_quarantine') }}
),

counted as (
    select
        check_name,
        sum(affected_count) as row_count
    from {{ ref('fct_data_quality') }}
    where check_name in ('rejected_rows', 'rejected_rows_by_reason')
    group by check_name
),

differences as (
    select
        counted.check_name,
        counted.row_count,
        quarantine.row_count as expected_row_count
    from counted
    cross join quarantine
    where counted.row_count <> quarantine.row_count
)

select * from differences
