{# Whether a product may still be offered: the catalogue says so, or does not know it. #}
{% macro can_be_sold(products) -%}
    (not coalesce({{ products }}.is_in_catalogue, false) or {{ products }}.is_active)
{%- endmacro %}
