{# What the model looks at, in its order (first what enters as a logarithm), and how a reason says it. #}
{% macro order_risk_words() -%}
    {%- set keys = {
        'device': 'this device', 'address': 'this IP address', 'card': 'this card',
        'email': 'this e-mail address', 'customer': 'this customer',
    } -%}
    {%- set measures = {
        'order_count_1_hour': 'orders within an hour from ',
        'order_count_1_day': 'orders within a day from ',
        'order_count_7_days': 'orders within a week from ',
        'order_count': 'number of earlier orders from ',
        'chargeback_count': 'earlier charge-backs of ',
        'person_count': 'number of people seen with ',
    } -%}
    {%- set others = {
        'total_amount': 'amount of the order',
        'minutes_since_sign_up': 'time since the sign-up',
        'customer_hours_since_order': 'time since the last order of the customer',
        'discount_share': 'discount',
        'is_without_sign_up': 'no sign-up before the order',
        'is_delivered_abroad': 'delivery to another country than the bill',
        'is_at_night': 'ordered at night',
        'is_new_device': 'a device new to the customer',
        'customer_amount_z_score': 'amount against what the customer used to spend',
    } -%}
    {%- set found = {} -%}
    {%- for kind, thing in keys.items() -%}
        {%- for measure, words in measures.items() if (kind, measure) != ('customer', 'person_count') -%}
            {%- do found.update({kind ~ '_' ~ measure: words ~ thing}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- do found.update(others) -%}
    {{ return(found) }}
{%- endmacro %}
