with

cadence as (
    select * from {{ ref('ftr_customers__cadence') }}
),

lifetime_value as (
    select * from {{ ref('ftr_customers__lifetime_value') }}
),

rfm as (
    select * from {{ ref('ftr_customers__rfm') }}
),

purchase_forecasts as (
    select * from {{ ref('ml_lifetime_value__predictions') }}
),

customers as (
    select * from {{ ref('int_customers__listed') }}
),

order_windows as (
    select * from {{ ref('int_customers__order_windows') }}
),

email_windows as (
    select * from {{ ref('int_customers__email_windows') }}
),

session_windows as (
    select * from {{ ref('int_customers__session_windows') }}
),

support_messages as (
    select * from {{ ref('shop_support_messages') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

support_contacts as (
    select
        support_messages.customer_id,
        as_of_dates.as_of_date,
        count(*) as support_contact_count
    from support_messages
    inner join as_of_dates
        on {{ local_date('support_messages.sent_at') }} < as_of_dates.as_of_date
        and {{ local_date('support_messages.sent_at') }}
        >= {{ date_add_days('as_of_dates.as_of_date', -180) }}
    where support_messages.customer_id is not null
    group by support_messages.customer_id, as_of_dates.as_of_date
),

-- Rates are not known without something to divide by: NULL, not 0.
joined as (
    select
        cadence.customer_id,
        cadence.as_of_date,
        cadence.is_current,
        cadence.days_since_last_order as recency_days,
        cadence.tenure_days,
        cast(lifetime_value.order_count as integer) as order_count,
        cadence.purchase_day_count,
        cadence.active_month_count,
        cadence.order_count_30_days,
        coalesce(order_windows.order_count_60_days, 0) as order_count_60_days,
        cadence.order_count_90_days,
        cadence.order_count_180_days,
        cadence.order_count_365_days,
        -- The last 90 days less the 90 before them.
        2 * cadence.order_count_90_days - cadence.order_count_180_days as order_count_trend,
        cadence.mean_gap_days,
        cadence.median_gap_days,
        cadence.standard_deviation_gap_days,
        cadence.last_gap_days,
        cadence.recency_gap_ratio,
        coalesce(order_windows.spend_amount_30_days, 0) as spend_amount_30_days,
        coalesce(order_windows.spend_amount_90_days, 0) as spend_amount_90_days,
        coalesce(order_windows.spend_amount_180_days, 0) as spend_amount_180_days,
        coalesce(order_windows.spend_amount_365_days, 0) as spend_amount_365_days,
        coalesce(
            2 * order_windows.spend_amount_90_days - order_windows.spend_amount_180_days, 0
        ) as spend_amount_trend,
        cast(lifetime_value.gross_revenue_amount as double) as spend_amount,
        cast(lifetime_value.average_order_amount as double) as average_order_amount,
        order_windows.standard_deviation_order_amount_365_days,
        lifetime_value.items_per_order,
        cast(lifetime_value.gross_revenue_amount as double)
        / nullif(lifetime_value.item_count, 0) as average_item_amount,
        lifetime_value.return_rate,
        order_windows.returned_amount_90_days
        / nullif(order_windows.spend_amount_90_days, 0) as return_rate_90_days,
        coalesce(order_windows.return_count_365_days, 0) as return_count_365_days,
        order_windows.discount_amount_365_days
        / nullif(
            order_windows.spend_amount_365_days + order_windows.discount_amount_365_days, 0
        ) as discount_rate_365_days,
        coalesce(order_windows.discounted_order_count_365_days, 0)
            as discounted_order_count_365_days,
        cast(order_windows.product_count_365_days as double)
        / nullif(cadence.order_count_365_days, 0) as products_per_order_365_days,
        email_windows.email_sent_count_30_days,
        cast(email_windows.email_opened_count_30_days as double)
        / nullif(email_windows.email_sent_count_30_days, 0) as email_open_rate_30_days,
        cast(email_windows.email_opened_count_previous_90_days as double)
        / nullif(email_windows.email_sent_count_previous_90_days, 0)
            as email_open_rate_previous_90_days,
        cast(email_windows.email_clicked_count_30_days as double)
        / nullif(email_windows.email_sent_count_30_days, 0) as email_click_rate_30_days,
        cast(email_windows.email_clicked_count_previous_90_days as double)
        / nullif(email_windows.email_sent_count_previous_90_days, 0)
            as email_click_rate_previous_90_days,
        session_windows.session_count_30_days,
        -- Per 30 days, so that the two windows can be compared.
        session_windows.session_count_30_days
        - session_windows.session_count_previous_90_days / 3.0e0 as session_count_trend,
        session_windows.median_session_seconds_30_days,
        session_windows.median_session_seconds_30_days
        - session_windows.median_session_seconds_previous_90_days as session_seconds_trend,
        cast(session_windows.abandoned_cart_count_30_days as double)
        / nullif(session_windows.cart_count_30_days, 0) as cart_abandonment_rate_30_days,
        cast(session_windows.abandoned_cart_count_previous_90_days as double)
        / nullif(session_windows.cart_count_previous_90_days, 0)
            as cart_abandonment_rate_previous_90_days,
        cast(coalesce(support_contacts.support_contact_count, 0) as integer)
            as support_contact_count_180_days,
        customers.acquisition_channel,
        rfm.rfm_segment,
        purchase_forecasts.alive_probability,
        purchase_forecasts.expected_order_count_90_days,
        purchase_forecasts.no_order_90_days_probability
    from cadence
    left join lifetime_value
        on cadence.customer_id = lifetime_value.customer_id
        and cadence.as_of_date = lifetime_value.as_of_date
    left join rfm
        on cadence.customer_id = rfm.customer_id and cadence.as_of_date = rfm.as_of_date
    left join purchase_forecasts
        on cadence.customer_id = purchase_forecasts.customer_id
        and cadence.as_of_date = purchase_forecasts.as_of_date
    left join customers on cadence.customer_id = customers.customer_id
    left join order_windows
        on cadence.customer_id = order_windows.customer_id
        and cadence.as_of_date = order_windows.as_of_date
    left join email_windows
        on cadence.customer_id = email_windows.customer_id
        and cadence.as_of_date = email_windows.as_of_date
    left join session_windows
        on cadence.customer_id = session_windows.customer_id
        and cadence.as_of_date = session_windows.as_of_date
    left join support_contacts
        on cadence.customer_id = support_contacts.customer_id
        and cadence.as_of_date = support_contacts.as_of_date
),

with_trends as (
    select
        joined.*,
        email_open_rate_30_days - email_open_rate_previous_90_days as email_open_rate_trend,
        email_click_rate_30_days - email_click_rate_previous_90_days as email_click_rate_trend,
        cart_abandonment_rate_30_days - cart_abandonment_rate_previous_90_days
            as cart_abandonment_rate_trend
    from joined
)

select * from with_trends
