"""Sessions the plain way: every event in order, one window after the other.

Written from the definition and sharing nothing with the models, so that the two can be compared row
by row.
"""

from __future__ import annotations

__all__ = ["SESSION_COLUMNS", "session_oracle"]

_COUNTED_EVENTS = {
    "page_view_count": "page_view",
    "product_view_count": "view_item",
    "search_count": "search",
    "wishlist_add_count": "add_to_wishlist",
    "cart_add_count": "add_to_cart",
    "cart_remove_count": "remove_from_cart",
    "checkout_count": "begin_checkout",
    "purchase_count": "purchase",
}

#: The columns of int_sessions__described that the oracle answers: all but ingest_number.
SESSION_COLUMNS = (
    "session_id",
    "visitor_id",
    "session_number",
    "previous_session_id",
    "session_started_at",
    "session_ended_at",
    "start_reason",
    "event_count",
    *_COUNTED_EVENTS,
    "funnel_step",
    "revenue_amount",
    "order_count",
    "landing_page_path",
    "exit_page_path",
    "traffic_source",
    "traffic_medium",
    "traffic_campaign",
    "device_category",
    "operating_system",
    "browser",
    "country_code",
    "ip_address",
    "user_agent",
    "customer_id_at_start",
    "customer_id",
)


def session_oracle(
    events: str,
    *,
    rule: str = "ga4",
    timeout_minutes: float = 30,
    time_zone: str = "Europe/Berlin",
) -> str:
    """Return a query that cuts the sessions of a relation with the columns of shop_events.

    Parameters
    ----------
    events
        Name of the relation.
    rule
        ``ga4`` and ``custom`` cut after the timeout, ``ga360`` also at local midnight and where the
        campaign changes.
    timeout_minutes
        A longer pause than this starts a new session.
    time_zone
        Where midnight is.
    """
    history = "partition by visitor_id order by event_at, event_id"
    local_day = f"cast(timezone('{time_zone}', timezone('UTC', event_at)) as date)"
    carries_campaign = (
        "(traffic_source is not null or traffic_medium is not null or traffic_campaign is not null)"
    )
    campaign = "row(traffic_source, traffic_medium, traffic_campaign)"
    midnight = campaign_change = ""
    extra_history = ""
    if rule == "ga360":
        midnight = f"when {local_day} <> lag({local_day}) over w then 'midnight'"
        extra_history = (
            f", last_value(case when {carries_campaign} then {campaign} end ignore nulls)"
            f" over ({history} rows between unbounded preceding and 1 preceding) as campaign_before"
        )
        campaign_change = (
            f"when {carries_campaign} and {campaign} is distinct from campaign_before"
            " then 'campaign'"
        )
    counts = "".join(
        f"count(*) filter (where event_name = '{event}') as {column},\n        "
        for column, event in _COUNTED_EVENTS.items()
    )
    return f"""
with remembered as (
    select
        *,
        last_value(customer_id ignore nulls) over (
            {history} rows between unbounded preceding and current row
        ) as known_customer_id{extra_history}
    from {events}
    where visitor_id is not null
),
cut as (
    select
        *,
        case
            when lag(event_at) over w is null then 'first'
            when epoch_us(event_at) - epoch_us(lag(event_at) over w)
                > {round(timeout_minutes * 60_000_000)} then 'timeout'
            {midnight}
            {campaign_change}
        end as reason
    from remembered
    window w as ({history})
),
numbered as (
    select
        *,
        count(reason) over ({history} rows unbounded preceding) as session_number,
        coalesce(lead(case when reason is null then 0 else 1 end) over ({history}), 1) as is_last,
        row_number() over ({history}) as position
    from cut
),
sessions as (
    select
        visitor_id,
        session_number,
        min(event_at) as session_started_at,
        max(event_at) as session_ended_at,
        max(case when reason is not null then event_id end) as first_event_id,
        max(reason) as start_reason,
        count(*) as event_count,
        {counts}max(
            case
                when event_name = 'purchase' then 5
                when event_name in ('begin_checkout', 'add_shipping_info', 'add_payment_info')
                    then 4
                when event_name = 'add_to_cart' then 3
                when event_name = 'view_item' then 2
                when event_name in ('page_view', 'view_item_list') then 1
                else 0
            end
        ) as funnel_step,
        coalesce(sum(value_amount) filter (where event_name = 'purchase'), 0) as revenue_amount,
        count(distinct order_id) filter (where event_name = 'purchase') as order_count,
        max(case when reason is not null then page_path end) as landing_page_path,
        max(case when is_last = 1 then page_path end) as exit_page_path,
        min(case when {carries_campaign} then position end) as campaign_position,
        max(case when reason is not null then device_category end) as device_category,
        max(case when reason is not null then operating_system end) as operating_system,
        max(case when reason is not null then browser end) as browser,
        max(case when reason is not null then country_code end) as country_code,
        max(case when reason is not null then ip_address end) as ip_address,
        max(case when reason is not null then user_agent end) as user_agent,
        max(case when reason is not null then known_customer_id end) as customer_id_at_start,
        max(case when is_last = 1 then known_customer_id end) as customer_id
    from numbered
    group by visitor_id, session_number
),
identified as (
    select
        *,
        printf('%x', epoch_us(session_started_at)) || left(first_event_id, 15) as session_id
    from sessions
),
campaigns as (
    select visitor_id, position, traffic_source, traffic_medium, traffic_campaign
    from numbered
    where {carries_campaign}
),
complete as (
    select
        identified.*,
        lag(session_id) over (partition by identified.visitor_id order by session_number)
            as previous_session_id,
        campaigns.traffic_source,
        campaigns.traffic_medium,
        campaigns.traffic_campaign
    from identified
    left join campaigns
        on identified.visitor_id = campaigns.visitor_id
        and identified.campaign_position = campaigns.position
)
select {", ".join(SESSION_COLUMNS)} from complete
"""
