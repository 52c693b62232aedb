{# Renders the columns known at a moment of a session: `moments` has what session_event_steps() counted up to the
   moment, `sessions` what was known when the session began. #}
{% macro intent_features(moments, sessions) -%}
    cast({{ moments }}.event_count as bigint) as event_count,
        {%- for name in [
            'page_view_count', 'product_view_count', 'list_view_count', 'search_count', 'wishlist_add_count',
            'cart_add_count', 'cart_remove_count', 'cart_view_count', 'distinct_product_count',
            'distinct_category_count', 'cart_item_count',
        ] %}
        cast({{ moments }}.{{ name }} as bigint) as {{ name }},
        {%- endfor %}
        cast({{ moments }}.checkout_step as bigint) as checkout_step,
        {{ moments }}.seen_price_amount,
        coalesce({{ moments }}.cart_amount, 0) as cart_amount,
        {{ seconds_between(moments ~ '.session_started_at', moments ~ '.moment_at') }} as seconds_since_start,
        {{ seconds_between(moments ~ '.event_at', moments ~ '.moment_at') }} as seconds_since_last_event,
        {{ moments }}.seconds_since_start - {{ moments }}.previous_seconds_since_start as last_gap_seconds,
        60.0 * {{ moments }}.event_count
        / greatest({{ seconds_between(moments ~ '.session_started_at', moments ~ '.moment_at') }}, 1)
            as events_per_minute,
        case
            when {{ moments }}.event_name in (
                'page_view', 'view_item_list', 'search', 'view_item', 'add_to_wishlist', 'add_to_cart',
                'remove_from_cart', 'view_cart', 'begin_checkout', 'add_shipping_info', 'add_payment_info',
                'login', 'sign_up'
            ) then {{ moments }}.event_name
            else 'other'
        end as last_event_name,
        -- A campaign counts from the event that carries it.
        case
            when {{ sessions }}.traffic_key <= {{ moments }}.order_key then {{ sessions }}.channel_group
            else 'direct'
        end as channel_group,
        {{ sessions }}.device_category,
        cast(extract(hour from {{ local_timestamp(moments ~ '.moment_at') }}) as bigint) as hour_of_day,
        {{ moments }}.is_known = 1 as is_known_customer,
        cast({{ sessions }}.earlier_session_count as bigint) as earlier_session_count,
        cast({{ sessions }}.earlier_buying_session_count as bigint) as earlier_buying_session_count,
        cast({{ sessions }}.last_session_funnel_step as bigint) as last_session_funnel_step,
        {{ seconds_between(sessions ~ '.last_session_ended_at', sessions ~ '.session_started_at') }} / 86400
            as days_since_session,
        {{ seconds_between(sessions ~ '.last_purchase_at', sessions ~ '.session_started_at') }} / 86400
            as days_since_purchase
{%- endmacro %}
