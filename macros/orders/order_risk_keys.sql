{# What orders are recognised by: kind of key, and the column of an order that holds it. A customer's own history
   is a key like any other. #}
{% macro order_risk_keys() -%}
    {{ return({
        'device': 'device_id',
        'address': 'ip_address_hash',
        'card': 'card_fingerprint',
        'email': 'email_hash',
        'customer': 'customer_id',
        'customer_device': "case when device_id is not null then concat(coalesce(customer_id, ''), '|', device_id) end",
    }) }}
{%- endmacro %}
