{# From one row an order and kind of key to one row an order. #}
{% macro order_risk_pivot() -%}
    {%- set counts = [] -%}
    {%- for name in order_risk_windows() -%}{%- do counts.append('order_count_' ~ name) -%}{%- endfor -%}
    {%- for kind in order_risk_keys() if kind != 'customer_device' -%}
        {%- for measure in counts + ['order_count', 'person_count', 'chargeback_count'] %}
        coalesce(max(case when key_kind = '{{ kind }}' then {{ measure }} end), 0)
            as {{ kind }}_{{ measure }},
        {%- endfor -%}
    {%- endfor %}
        coalesce(max(case when key_kind = 'customer_device' then order_count end), 0)
            as customer_device_order_count,
        max(case when key_kind = 'customer' then mean_amount end) as customer_mean_amount,
        max(case when key_kind = 'customer' then deviation_amount end) as customer_deviation_amount,
        max(case when key_kind = 'customer' then last_moment end) as customer_last_moment
{%- endmacro %}
