with

rejected_rows as (
    select * from {{ ref('int_data_quality__rejected_rows') }}
),

order_checks as (
    select * from {{ ref('int_data_quality__order_checks') }}
),

event_checks as (
    select * from {{ ref('int_data_quality__event_checks') }}
),

address_checks as (
    select * from {{ ref('int_data_quality__address_checks') }}
),

sessions as (
    select * from {{ ref('fct_sessions') }}
),

explanations as (
    select * from {{ ref('data_quality_checks') }}
),

session_counts as (
    select
        count(*) as session_count,
        coalesce(sum(case when is_quarantined then 1 else 0 end), 0) as quarantined_count,
        coalesce(sum(case when is_bot then 1 else 0 end), 0) as bot_count
    from sessions
),

whole_entity_checks as (
    select
        check_name,
        entity,
        checked_count,
        affected_count
    from order_checks
    union all
    select
        check_name,
        entity,
        checked_count,
        affected_count
    from event_checks
    union all
    select
        check_name,
        entity,
        checked_count,
        affected_count
    from address_checks
    union all
    select
        'quarantined_sessions' as check_name,
        'events' as entity,
        session_count as checked_count,
        quarantined_count as affected_count
    from session_counts
    union all
    select
        'bot_sessions' as check_name,
        'events' as entity,
        session_count as checked_count,
        bot_count as affected_count
    from session_counts
),

all_checks as (
    select
        data_quality_id,
        check_name,
        entity,
        rejection_reason,
        checked_count,
        affected_count
    from rejected_rows
    union all
    select
        check_name || '/' || entity as data_quality_id,
        check_name,
        entity,
        cast(null as {{ type_string() }}) as rejection_reason,
        checked_count,
        affected_count
    from whole_entity_checks
),

connectors as (
    select distinct
        entity,
        connector
    from rejected_rows
),

-- A reason nobody has explained yet is judged like any rejected row.
explained as (
    select
        all_checks.data_quality_id,
        all_checks.check_name,
        all_checks.entity,
        connectors.connector,
        all_checks.rejection_reason,
        all_checks.checked_count,
        all_checks.affected_count,
        cast(all_checks.affected_count as double)
        / nullif(all_checks.checked_count, 0) as affected_share,
        coalesce(of_reason.warning_above_share, of_check.warning_above_share)
            as warning_above_share,
        coalesce(of_reason.error_above_share, of_check.error_above_share) as error_above_share,
        coalesce(of_reason.meaning, of_check.meaning) as meaning
    from all_checks
    left join connectors on all_checks.entity = connectors.entity
    left join explanations as of_check
        on all_checks.check_name = of_check.check_name and of_check.rejection_reason is null
    left join explanations as of_reason
        on all_checks.check_name = of_reason.check_name
        and all_checks.rejection_reason = of_reason.rejection_reason
),

judged as (
    select
        data_quality_id,
        check_name,
        entity,
        connector,
        rejection_reason,
        checked_count,
        affected_count,
        affected_share,
        warning_above_share,
        error_above_share,
        case
            when affected_share > error_above_share then 2
            when affected_share > warning_above_share then 1
            else 0
        end as severity_level,
        meaning
    from explained
),

-- All rejected rows of an entity are as bad as the worst reason: most may be harmless copies.
judged_with_reasons as (
    select
        *,
        max(case when check_name = 'rejected_rows_by_reason' then severity_level else 0 end) over (
            partition by entity
        ) as worst_reason_level
    from judged
),

named as (
    select
        data_quality_id,
        check_name,
        entity,
        connector,
        rejection_reason,
        cast(checked_count as bigint) as checked_count,
        cast(checked_count - affected_count as bigint) as passed_count,
        cast(affected_count as bigint) as affected_count,
        affected_share,
        warning_above_share,
        error_above_share,
        case
            when checked_count = 0 then 'not_checked'
            when check_name = 'rejected_rows' and worst_reason_level = 2 then 'error'
            when check_name = 'rejected_rows' and worst_reason_level = 1 then 'warning'
            when severity_level = 2 then 'error'
            when severity_level = 1 then 'warning'
            else 'ok'
        end as severity,
        meaning
    from judged_with_reasons
)

select * from named
