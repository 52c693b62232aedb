{# How far an event is on the way to a purchase: 0 nothing, 1 saw a page or a list, 2 saw a product, 3 put it
   in the cart, 4 was in the checkout, 5 bought. #}
{% macro funnel_step(event_name) -%}
    case {{ event_name }}
        when 'purchase' then 5
        when 'add_payment_info' then 4
        when 'add_shipping_info' then 4
        when 'begin_checkout' then 4
        when 'add_to_cart' then 3
        when 'view_item' then 2
        when 'page_view' then 1
        when 'view_item_list' then 1
        else 0
    end
{%- endmacro %}
