{# One compile error when the shop reports in a currency its source cannot be converted to. #}
{% macro require_currency(connector, currency) %}
    {% if execute and var('martlet_currency') != currency %}
        {{ exceptions.raise_compiler_error(
            "The amounts of the connector " ~ connector ~ " are in " ~ currency
            ~ " and come without exchange rates, so they cannot be reported in "
            ~ var('martlet_currency') ~ ": set the var martlet_currency to " ~ currency
            ~ ", e.g. --vars '{martlet_connector: " ~ connector ~ ", martlet_currency: " ~ currency
            ~ ", ...}'."
        ) }}
    {% endif %}
{% endmacro %}
