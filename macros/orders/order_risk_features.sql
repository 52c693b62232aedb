{# The features of orders: `asked` holds the orders themselves, `history` what was known of their keys before. The
   feature table and the scoring of one new order share this text. #}
{% macro order_risk_features(asked, history) -%}
    cast({{ asked }}.total_amount as double) as total_amount,
    cast({{ asked }}.discount_amount as double)
        / nullif(cast({{ asked }}.items_amount as double), 0) as discount_share,
    {{ seconds_between(asked ~ '.registered_at', asked ~ '.ordered_at') }} / 60 as minutes_since_sign_up,
    {{ asked }}.registered_at is null or {{ asked }}.registered_at > {{ asked }}.ordered_at
        as is_without_sign_up,
    coalesce({{ asked }}.billing_country_code <> {{ asked }}.shipping_country_code, false)
        as is_delivered_abroad,
    cast(extract(hour from {{ local_timestamp(asked ~ '.ordered_at') }}) as integer) < 6 as is_at_night,
    {%- set counts = [] -%}
    {%- for name in order_risk_windows() -%}{%- do counts.append('order_count_' ~ name) -%}{%- endfor -%}
    {%- for kind in order_risk_keys() if kind != 'customer_device' -%}
        {%- for measure in counts + ['order_count', 'person_count', 'chargeback_count'] %}
    cast(coalesce({{ history }}.{{ kind }}_{{ measure }}, 0) as bigint) as {{ kind }}_{{ measure }},
        {%- endfor -%}
    {%- endfor %}
    cast({{ asked }}.total_amount as double)
        / nullif({{ history }}.customer_mean_amount, 0) as customer_amount_ratio,
    (cast({{ asked }}.total_amount as double) - {{ history }}.customer_mean_amount)
        / nullif({{ history }}.customer_deviation_amount, 0) as customer_amount_z_score,
    ({{ epoch_microseconds(asked ~ '.ordered_at') }} - {{ history }}.customer_last_moment)
        / cast(3600000000 as double) as customer_hours_since_order,
    coalesce(
        {{ asked }}.device_id is not null
        and {{ history }}.customer_order_count > 0
        and coalesce({{ history }}.customer_device_order_count, 0) = 0, false
    ) as is_new_device
{%- endmacro %}
