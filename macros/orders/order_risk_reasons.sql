{# The three things that raise an order's risk most, in words, from the attributions of ml_explain_predict. #}
{% macro order_risk_reasons(attributions) -%}
    {{ return(adapter.dispatch('order_risk_reasons', 'martlet')(attributions)) }}
{%- endmacro %}

{% macro default__order_risk_reasons(attributions) -%}
    list_transform(
        list_slice(list_filter({{ attributions }}, lambda e: e.attribution > 0), 1, 3),
        lambda e: {{ _order_risk_words_of('e.feature') }}
    )
{%- endmacro %}

{# Sail cuts no list of structs: they become words first. #}
{% macro spark__order_risk_reasons(attributions) -%}
    slice(
        filter(
            transform(
                {{ attributions }},
                e -> case when e.attribution > 0 then {{ _order_risk_words_of('e.feature') }} end
            ),
            w -> w is not null
        ),
        1, 3
    )
{%- endmacro %}

{% macro _order_risk_words_of(feature) -%}
    case {{ feature }}
        {%- for feature_name, words in order_risk_words().items() %}
        when '{{ feature_name }}' then '{{ words }}'
        {%- endfor %}
        else {{ feature }}
    end
{%- endmacro %}
