with

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

activity as (
    select * from {{ ref('int_ip_addresses__activity_by_day') }}
),

windowed as (
    select
        as_of_dates.as_of_date,
        as_of_dates.is_current,
        activity.*
    from activity
    inner join as_of_dates
        on activity.activity_date < as_of_dates.as_of_date
        and activity.activity_date
        >= {{ date_add_days('as_of_dates.as_of_date', '-' ~ var('martlet_looker_window_days')) }}
),

visitors as (
    select
        address_id,
        as_of_date,
        visitor_number,
        count(distinct activity_date) as day_count,
        count(distinct case when person_step_count > 0 then activity_date end) as acting_day_count,
        min(user_agent_number) as user_agent_number,
        max(signed_in_count) as signed_in_count,
        sum(person_step_count) as person_step_count
    from windowed
    where visitor_number <> 0
    group by address_id, as_of_date, visitor_number
),

visitor_totals as (
    select
        address_id,
        as_of_date,
        count(*) as visitor_count,
        sum(day_count) as visitor_day_count,
        sum(acting_day_count) as acting_visitor_day_count,
        sum(case when day_count > 1 then 1 else 0 end) as returning_visitor_count,
        sum(case when signed_in_count > 0 then 1 else 0 end) as signed_in_visitor_count,
        sum(case when person_step_count > 0 then 1 else 0 end) as acting_visitor_count
    from visitors
    group by address_id, as_of_date
),

totals as (
    select
        address_id,
        as_of_date,
        is_current,
        min(activity_date) as first_active_date,
        max(activity_date) as last_active_date,
        count(distinct activity_date) as active_day_count,
        count(distinct user_agent_number) as user_agent_count,
        sum(hit_count) as hit_count,
        sum(request_count) as request_count,
        sum(event_count) as event_count,
        sum(visit_count) as visit_count,
        sum(page_count) as page_count,
        sum(product_count) as product_count,
        sum(person_step_count) as person_step_count,
        sum(asset_count) as asset_count,
        sum(api_count) as api_count,
        sum(robots_txt_count) as robots_txt_count,
        sum(referrer_count) as referrer_count,
        sum(head_count) as head_count,
        sum(error_count) as error_count,
        sum(signed_in_count) as signed_in_count,
        sum(case when visitor_number = 0 then visit_count else 0 end) as visit_without_cookie_count,
        sum(case when is_automation then hit_count else 0 end) as automation_hit_count,
        max(verifiable_crawler_name) as claimed_crawler_name,
        max(unverifiable_crawler_name) as unverifiable_crawler_name,
        sum(case when is_user_agent_empty then hit_count else 0 end) as no_user_agent_hit_count,
        min(lowest_path_number) = max(highest_path_number) as is_single_path,
        sum(gap_count) as gap_count,
        sum(gap_log_sum) as gap_log_sum,
        sum(gap_log_square_sum) as gap_log_square_sum,
        sum(active_half_hour_count) as active_half_hour_count,
        sum(night_half_hour_count) as night_half_hour_count
    from windowed
    group by address_id, as_of_date, is_current
),

shares as (
    select
        totals.address_id,
        totals.as_of_date,
        totals.is_current,
        totals.first_active_date,
        totals.last_active_date,
        totals.active_day_count,
        cast(totals.hit_count as bigint) as hit_count,
        cast(totals.request_count as bigint) as request_count,
        cast(totals.event_count as bigint) as event_count,
        cast(totals.visit_count as bigint) as visit_count,
        cast(totals.page_count as bigint) as page_count,
        coalesce(visitor_totals.visitor_count, 0) as visitor_count,
        cast(coalesce(visitor_totals.returning_visitor_count, 0) as bigint)
            as returning_visitor_count,
        cast(coalesce(visitor_totals.signed_in_visitor_count, 0) as bigint)
            as signed_in_visitor_count,
        cast(coalesce(visitor_totals.acting_visitor_count, 0) as bigint) as acting_visitor_count,
        cast(coalesce(visitor_totals.visitor_day_count, 0) as bigint) as visitor_day_count,
        cast(coalesce(visitor_totals.acting_visitor_day_count, 0) as bigint)
            as acting_visitor_day_count,
        cast(totals.signed_in_count as bigint) as signed_in_count,
        cast(totals.visit_without_cookie_count as bigint) as visit_without_cookie_count,
        totals.user_agent_count,
        cast(totals.person_step_count as bigint) as person_step_count,
        cast(totals.robots_txt_count as bigint) as robots_txt_count,
        totals.asset_count / cast(nullif(totals.request_count, 0) as double) as asset_share,
        totals.api_count / cast(nullif(totals.request_count, 0) as double) as api_share,
        totals.product_count / cast(nullif(totals.page_count, 0) as double) as product_share,
        totals.referrer_count / cast(nullif(totals.page_count, 0) as double) as referrer_share,
        totals.head_count / cast(nullif(totals.request_count, 0) as double) as head_share,
        totals.error_count / cast(nullif(totals.request_count, 0) as double) as error_share,
        totals.automation_hit_count / cast(nullif(totals.hit_count, 0) as double)
            as declared_automation_share,
        totals.no_user_agent_hit_count / cast(nullif(totals.hit_count, 0) as double)
            as no_user_agent_share,
        totals.claimed_crawler_name,
        totals.unverifiable_crawler_name,
        coalesce(totals.is_single_path, false) as is_single_path,
        cast(totals.gap_count as bigint) as gap_count,
        exp(totals.gap_log_sum / nullif(totals.gap_count, 0)) as typical_gap_seconds,
        sqrt(greatest(
            totals.gap_log_square_sum / nullif(totals.gap_count, 0)
            - power(totals.gap_log_sum / nullif(totals.gap_count, 0), 2),
            0
        )) as gap_log_deviation,
        cast(totals.active_half_hour_count as bigint) as active_half_hour_count,
        totals.night_half_hour_count / cast(nullif(totals.active_half_hour_count, 0) as double)
            as night_share
    from totals
    left join visitor_totals
        on totals.address_id = visitor_totals.address_id
        and totals.as_of_date = visitor_totals.as_of_date
)

select * from shares
