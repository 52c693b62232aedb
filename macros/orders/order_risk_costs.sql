{# What each answer to an order is expected to cost: letting it go, having it looked at, refusing it. #}
{% macro order_risk_costs(probability, amount) -%}
    {%- set loss = '(' ~ amount ~ ' + ' ~ var('martlet_chargeback_fee_amount') | float ~ 'e0)' -%}
    {%- set missed = (1 - var('martlet_review_catch_rate')) | round(12) -%}
    {{ probability }} * {{ loss }} as approve_cost_amount,
    {{ var('martlet_review_cost_amount') | float }}e0 + {{ probability }} * {{ missed }}e0 * {{ loss }}
        as review_cost_amount,
    (1e0 - {{ probability }}) * {{ amount }} * {{ var('martlet_order_margin_share') | float }}e0
        as deny_cost_amount
{%- endmacro %}
