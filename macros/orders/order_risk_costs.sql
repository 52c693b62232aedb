{# What each answer to an order is expected to cost: letting it go, having it looked at, refusing it. #}
{% macro order_risk_costs(probability, amount) -%}
    {%- set loss = '(' ~ amount ~ ' + ' ~ var('martlet_chargeback_fee_amount') ~ ')' -%}
    {{ probability }} * {{ loss }} as approve_cost_amount,
    {{ var('martlet_review_cost_amount') }}
        + {{ probability }} * (1 - {{ var('martlet_review_catch_rate') }}) * {{ loss }}
        as review_cost_amount,
    (1 - {{ probability }}) * {{ amount }} * {{ var('martlet_order_margin_share') }}
        as deny_cost_amount
{%- endmacro %}
