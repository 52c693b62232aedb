with

events as (
    select * from {{ ref('shop_events') }}
),

quarantine as (
    select * from {{ ref('shop_quarantine') }}
),

event_counts as (
    select
        count(*) as event_count,
        count(*) - count(visitor_id) as without_visitor_count,
        coalesce(sum(case
            when {{ seconds_between('event_at', 'received_at') }} > 86400 then 1 else 0
        end), 0) as late_count
    from events
),

duplicate_counts as (
    select count(*) as duplicate_count
    from quarantine
    where entity = 'events' and rejection_reason = 'duplicate_row'
),

checks as (
    select
        'events_without_visitor' as check_name,
        'events' as entity,
        event_count as checked_count,
        without_visitor_count as affected_count
    from event_counts
    union all
    select
        'late_events' as check_name,
        'events' as entity,
        event_count as checked_count,
        late_count as affected_count
    from event_counts
    union all
    select
        'duplicate_events' as check_name,
        'events' as entity,
        event_counts.event_count + duplicate_counts.duplicate_count as checked_count,
        duplicate_counts.duplicate_count as affected_count
    from event_counts
    cross join duplicate_counts
)

select * from checks
