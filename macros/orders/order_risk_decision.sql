{# The cheapest of the three answers; at equal cost the kinder one. #}
{% macro order_risk_decision() -%}
    case
        when approve_cost_amount <= least(review_cost_amount, deny_cost_amount) then 'approve'
        when review_cost_amount <= deny_cost_amount then 'review'
        else 'deny'
    end
{%- endmacro %}
