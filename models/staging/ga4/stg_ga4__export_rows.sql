{% for layout in ga4_layouts() %}
    select
        regexp_extract(filename, 'events_((intraday_|fresh_)?[0-9]{8})[^/]*$', 1) as batch_id,
        parse_filename(filename) as source_file,
        cast(file_row_number as bigint) as file_row_number,
        {{ ga4_field(layout, 'event_timestamp', 'bigint') }} as event_timestamp,
        {{ ga4_field(layout, 'event_server_timestamp_offset', 'bigint') }}
            as event_server_timestamp_offset,
        {{ ga4_field(layout, 'event_name') }} as event_name,
        {{ ga4_field(layout, 'event_bundle_sequence_id', 'bigint') }} as event_bundle_sequence_id,
        {{ ga4_field(layout, 'batch_event_index', 'bigint') }} as batch_event_index,
        {{ ga4_field(layout, 'batch_ordering_id', 'bigint') }} as batch_ordering_id,
        {{ ga4_field(layout, 'batch_page_id', 'bigint') }} as batch_page_id,
        {{ ga4_field(layout, 'stream_id') }} as stream_id,
        {{ ga4_field(layout, 'user_pseudo_id') }} as user_pseudo_id,
        {{ ga4_field(layout, 'user_id') }} as user_id,
        {{ ga4_field(layout, 'privacy_info.analytics_storage') }} as analytics_storage,
        {{ ga4_param(layout, 'event_time_msec', 'bigint') }} as event_time_msec,
        {{ ga4_param(layout, 'ga_session_id', 'bigint') }} as ga_session_id,
        {{ ga4_param(layout, 'page_location') }} as page_location,
        {{ ga4_param(layout, 'page_referrer') }} as page_referrer,
        {{ ga4_param(layout, 'search_term') }} as search_term,
        {{ ga4_param(layout, 'value', 'double') }} as event_value,
        {{ ga4_param(layout, 'currency') }} as currency,
        {{ ga4_param(layout, 'transaction_id') }} as param_transaction_id,
        {{ ga4_param(layout, 'source') }} as param_source,
        {{ ga4_param(layout, 'medium') }} as param_medium,
        {{ ga4_param(layout, 'campaign') }} as param_campaign,
        {{ ga4_param(layout, 'gclid') }} as param_gclid,
        {{ ga4_field(layout, 'ecommerce.transaction_id') }} as ecommerce_transaction_id,
        {{ ga4_field(layout, 'ecommerce.purchase_revenue', 'double') }} as purchase_revenue,
        {{ ga4_field(layout, 'ecommerce.refund_value', 'double') }} as refund_value,
        {{ ga4_first_item(layout, 'item_id') }} as item_id,
        {{ ga4_first_item(layout, 'quantity', 'bigint') }} as item_quantity,
        {{ ga4_field(layout, 'collected_traffic_source.manual_source') }} as manual_source,
        {{ ga4_field(layout, 'collected_traffic_source.manual_medium') }} as manual_medium,
        {{ ga4_field(layout, 'collected_traffic_source.manual_campaign_name') }}
            as manual_campaign_name,
        {{ ga4_field(layout, 'collected_traffic_source.gclid') }} as gclid,
        {{ ga4_field(layout, 'collected_traffic_source.dclid') }} as dclid,
        {{ ga4_field(layout, 'collected_traffic_source.srsltid') }} as srsltid,
        {{ ga4_field(layout, 'device.category') }} as device_category,
        {{ ga4_field(layout, 'device.operating_system') }} as operating_system,
        coalesce(
            {{ ga4_field(layout, 'device.web_info.browser') }},
            {{ ga4_field(layout, 'device.browser') }}
        ) as browser,
        {{ ga4_field(layout, 'geo.country') }} as country_name,
        {{ ga4_content_hash(layout) }} as content_hash
    from {{ ga4_reader(layout) }}
    {% if not loop.last %}union all{% endif %}
{% endfor %}
