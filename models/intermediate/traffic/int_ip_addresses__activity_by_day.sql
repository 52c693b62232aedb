{%- set is_gap -%}
    gap_microseconds <= {{ session_timeout_microseconds() }} and hit_stream < 2
            and (hit_stream = 0 or gap_microseconds >= 500000)
{%- endset -%}
{%- set log_gap = 'ln(greatest(gap_microseconds, 100000) / cast(1000000 as double))' -%}
{#- What a request or an event is, as a short number:
    0 a page, 1 a product, 2 a step only people take, 3 a file beside a page, 4 an interface, 5 robots.txt. -#}
with

requests as (
    select * from {{ ref('shop_page_requests') }}
    where ip_address is not null
),

events as (
    select * from {{ ref('shop_events') }}
    where ip_address is not null
),

addresses as (
    select * from {{ ref('int_ip_addresses__listed') }}
),

user_agents as (
    select * from {{ ref('int_user_agents__classified') }}
),

known_addresses as (
    select
        ip_address,
        address_number
    from addresses
    where address_number is not null
),

address_names as (
    select distinct
        address_number,
        address_id
    from addresses
    where address_number is not null
),

agent_names as (
    select
        user_agent_number,
        min(verifiable_crawler_name) as verifiable_crawler_name,
        min(unverifiable_crawler_name) as unverifiable_crawler_name,
        cast(max(cast(is_empty as integer)) as boolean) as is_empty,
        cast(max(cast(is_automation as integer)) as boolean) as is_automation
    from user_agents
    group by user_agent_number
),

paths as (
    select distinct request_path from requests
),

path_texts as (
    select
        request_path,
        lower(left(request_path, 300)) as path_text
    from paths
    where request_path is not null
),

path_classes as (
    select
        request_path,
        {{ request_path_class('path_text') }} as hit_class,
        {{ hash_number('request_path') }} as path_number
    from path_texts
),

event_names as (
    select distinct event_name from events
),

event_classes as (
    select
        event_name,
        case
            when event_name in ('view_item', 'select_item') then 1
            when event_name in (
                    'add_to_cart', 'remove_from_cart', 'view_cart', 'add_to_wishlist',
                    'begin_checkout', 'add_shipping_info', 'add_payment_info', 'purchase',
                    'login', 'sign_up', 'search', 'view_search_results'
                ) then 2
            else 0
        end as hit_class
    from event_names
),

request_hits as (
    select
        known_addresses.address_number,
        case when requests.visitor_id is null then cast(0 as bigint)
            else {{ hash_number('requests.visitor_id') }}
        end as visitor_number,
        user_agents.user_agent_number,
        {{ epoch_microseconds('requests.requested_at') }} as hit_microseconds,
        coalesce(path_classes.hit_class, 0) as hit_class,
        -- Files and interfaces come with a page and would blur the pace of the pages.
        case when coalesce(path_classes.hit_class, 0) in (3, 4) then 2 else 0 end as hit_stream,
        path_classes.path_number,
        requests.referrer is not null as has_referrer,
        requests.http_method = 'HEAD' as is_head,
        requests.status_code >= 400 as is_error,
        false as is_signed_in
    from requests
    inner join known_addresses on requests.ip_address = known_addresses.ip_address
    inner join user_agents on requests.user_agent is not distinct from user_agents.user_agent
    left join path_classes on requests.request_path = path_classes.request_path
),

event_hits as (
    select
        known_addresses.address_number,
        case when events.visitor_id is null then cast(0 as bigint)
            else {{ hash_number('events.visitor_id') }}
        end as visitor_number,
        user_agents.user_agent_number,
        -- A clock that runs ahead cannot make an event later than its arrival.
        {{ epoch_microseconds('least(events.event_at, events.received_at)') }} as hit_microseconds,
        event_classes.hit_class,
        1 as hit_stream,
        cast(null as bigint) as path_number,
        events.page_referrer is not null as has_referrer,
        false as is_head,
        false as is_error,
        events.customer_id is not null as is_signed_in
    from events
    inner join known_addresses on events.ip_address = known_addresses.ip_address
    inner join user_agents on events.user_agent is not distinct from user_agents.user_agent
    inner join event_classes on events.event_name = event_classes.event_name
),

hits as (
    select * from request_hits
    union all
    select * from event_hits
),

paced as (
    select
        *,
        hit_microseconds - lag(hit_microseconds) over (
            partition by address_number, visitor_number, hit_stream
            order by hit_microseconds
        ) as gap_microseconds
    from hits
),

-- The pace of one client: a pause beyond the timeout starts a visit and is no gap. Events less
-- than half a second apart tell of the same page.
counted as (
    select
        address_number,
        visitor_number,
        user_agent_number,
        hit_stream,
        cast(floor(hit_microseconds / cast(1800000000 as double)) as bigint) as half_hour,
        count(*) as hit_count,
        sum(case
            when gap_microseconds <= {{ session_timeout_microseconds() }} then 0 else 1
        end) as visit_count,
        sum(case when hit_class = 1 then 1 else 0 end) as product_count,
        sum(case when hit_class = 2 then 1 else 0 end) as person_step_count,
        sum(case when hit_class = 3 then 1 else 0 end) as asset_count,
        sum(case when hit_class = 4 then 1 else 0 end) as api_count,
        sum(case when hit_class = 5 then 1 else 0 end) as robots_txt_count,
        min(path_number) as lowest_path_number,
        max(path_number) as highest_path_number,
        sum(case when has_referrer then 1 else 0 end) as referrer_count,
        sum(case when is_head then 1 else 0 end) as head_count,
        sum(case when is_error then 1 else 0 end) as error_count,
        sum(case when is_signed_in then 1 else 0 end) as signed_in_count,
        sum(case when {{ is_gap }} then 1 else 0 end) as gap_count,
        sum(case when {{ is_gap }} then {{ log_gap }} else 0 end) as gap_log_sum,
        sum(case when {{ is_gap }} then {{ log_gap }} * {{ log_gap }} else 0 end)
            as gap_log_square_sum
    from paced
    group by address_number, visitor_number, user_agent_number, hit_stream, half_hour
),

half_hours as (
    select distinct half_hour from counted
),

local_half_hours as (
    select
        half_hour,
        {{ local_timestamp(timestamp_from_microseconds('half_hour * 1800000000')) }} as local_at
    from half_hours
),

dated as (
    select
        half_hour,
        cast(local_at as date) as activity_date,
        case when extract(hour from local_at) < 6 then 1 else 0 end as is_night
    from local_half_hours
),

by_day as (
    select
        counted.address_number,
        dated.activity_date,
        counted.visitor_number,
        counted.user_agent_number,
        sum(case when counted.hit_stream <> 1 then counted.hit_count else 0 end) as request_count,
        sum(case when counted.hit_stream = 1 then counted.hit_count else 0 end) as event_count,
        sum(case when counted.hit_stream = 0 then counted.visit_count else 0 end)
            as page_visit_count,
        sum(case when counted.hit_stream = 1 then counted.visit_count else 0 end)
            as event_visit_count,
        sum(case when counted.hit_stream = 2 then counted.visit_count else 0 end)
            as other_visit_count,
        sum(case when counted.hit_stream = 0 then counted.product_count else 0 end)
            as product_request_count,
        sum(case when counted.hit_stream = 1 then counted.product_count else 0 end)
            as product_event_count,
        sum(counted.person_step_count) as person_step_count,
        sum(counted.asset_count) as asset_count,
        sum(counted.api_count) as api_count,
        sum(counted.robots_txt_count) as robots_txt_count,
        min(counted.lowest_path_number) as lowest_path_number,
        max(counted.highest_path_number) as highest_path_number,
        sum(case when counted.hit_stream = 0 then counted.referrer_count else 0 end)
            as request_referrer_count,
        sum(case when counted.hit_stream = 1 then counted.referrer_count else 0 end)
            as event_referrer_count,
        sum(counted.head_count) as head_count,
        sum(counted.error_count) as error_count,
        sum(counted.signed_in_count) as signed_in_count,
        sum(counted.gap_count) as gap_count,
        sum(counted.gap_log_sum) as gap_log_sum,
        sum(counted.gap_log_square_sum) as gap_log_square_sum,
        sum(case when counted.hit_stream = 0 then 1 else 0 end) as page_half_hour_count,
        sum(case when counted.hit_stream = 1 then 1 else 0 end) as event_half_hour_count,
        sum(case when counted.hit_stream = 2 then 1 else 0 end) as other_half_hour_count,
        sum(case when counted.hit_stream = 0 then dated.is_night else 0 end) as page_night_count,
        sum(case when counted.hit_stream = 1 then dated.is_night else 0 end) as event_night_count,
        sum(case when counted.hit_stream = 2 then dated.is_night else 0 end) as other_night_count
    from counted
    inner join dated on counted.half_hour = dated.half_hour
    group by
        counted.address_number,
        dated.activity_date,
        counted.visitor_number,
        counted.user_agent_number
),

-- A page that both logs tell of is counted once.
named as (
    select
        address_names.address_id,
        by_day.activity_date,
        by_day.visitor_number,
        by_day.user_agent_number,
        agent_names.is_automation,
        agent_names.is_empty as is_user_agent_empty,
        agent_names.verifiable_crawler_name,
        agent_names.unverifiable_crawler_name,
        cast(greatest(by_day.request_count, by_day.event_count) as bigint) as hit_count,
        cast(by_day.request_count as bigint) as request_count,
        cast(by_day.event_count as bigint) as event_count,
        cast(case
            when by_day.page_visit_count + by_day.event_visit_count > 0
                then greatest(by_day.page_visit_count, by_day.event_visit_count)
            else by_day.other_visit_count
        end as bigint) as visit_count,
        cast(greatest(
            by_day.request_count - by_day.asset_count - by_day.api_count - by_day.robots_txt_count,
            by_day.event_count
        ) as bigint) as page_count,
        cast(greatest(by_day.product_request_count, by_day.product_event_count) as bigint)
            as product_count,
        cast(by_day.person_step_count as bigint) as person_step_count,
        cast(by_day.asset_count as bigint) as asset_count,
        cast(by_day.api_count as bigint) as api_count,
        cast(by_day.robots_txt_count as bigint) as robots_txt_count,
        by_day.lowest_path_number,
        by_day.highest_path_number,
        cast(case
            when by_day.request_count > 0 then by_day.request_referrer_count
            else by_day.event_referrer_count
        end as bigint) as referrer_count,
        cast(by_day.head_count as bigint) as head_count,
        cast(by_day.error_count as bigint) as error_count,
        cast(by_day.signed_in_count as bigint) as signed_in_count,
        cast(by_day.gap_count as bigint) as gap_count,
        by_day.gap_log_sum,
        by_day.gap_log_square_sum,
        cast(greatest(
            by_day.page_half_hour_count, by_day.event_half_hour_count, by_day.other_half_hour_count
        ) as bigint) as active_half_hour_count,
        cast(greatest(
            by_day.page_night_count, by_day.event_night_count, by_day.other_night_count
        ) as bigint) as night_half_hour_count
    from by_day
    inner join address_names on by_day.address_number = address_names.address_number
    inner join agent_names on by_day.user_agent_number = agent_names.user_agent_number
)

select * from named
