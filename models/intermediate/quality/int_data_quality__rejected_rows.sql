with

kept as (
    select * from {{ entity_row_counts() }}
),

quarantine as (
    select * from {{ ref('shop_quarantine') }}
),

rejected_by_reason as (
    select
        entity,
        rejection_reason,
        count(*) as affected_count
    from quarantine
    group by entity, rejection_reason
),

rejected as (
    select
        entity,
        cast(sum(affected_count) as bigint) as affected_count
    from rejected_by_reason
    group by entity
),

raw_rows as (
    select
        kept.entity,
        kept.connector,
        coalesce(rejected.affected_count, 0) as affected_count,
        kept.kept_count + coalesce(rejected.affected_count, 0) as checked_count
    from kept
    left join rejected on kept.entity = rejected.entity
),

checks as (
    select
        'rejected_rows/' || entity as data_quality_id,
        'rejected_rows' as check_name,
        entity,
        connector,
        cast(null as {{ type_string() }}) as rejection_reason,
        checked_count,
        affected_count
    from raw_rows
    union all
    select
        'rejected_rows_by_reason/' || raw_rows.entity || '/' || rejected_by_reason.rejection_reason
            as data_quality_id,
        'rejected_rows_by_reason' as check_name,
        raw_rows.entity,
        raw_rows.connector,
        rejected_by_reason.rejection_reason,
        raw_rows.checked_count,
        rejected_by_reason.affected_count
    from raw_rows
    inner join rejected_by_reason on raw_rows.entity = rejected_by_reason.entity
)

select * from checks
