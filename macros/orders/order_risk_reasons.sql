{# The three things that raise an order's risk most, in words, from the attributions of ml_explain_predict. #}
{% macro order_risk_reasons(attributions) -%}
    list_transform(
        list_slice(list_filter({{ attributions }}, lambda e: e.attribution > 0), 1, 3),
        lambda e: case e.feature
            {%- for feature, words in order_risk_words().items() %}
            when '{{ feature }}' then '{{ words }}'
            {%- endfor %}
            else e.feature
        end
    )
{%- endmacro %}
