{# What the lifetime-value forecasts say at the horizon of a row: `column` has a ? where theirs have the days. #}
{% macro at_horizon(horizon, column) -%}
    case {{ horizon }}
        {%- for days in [30, 90, 180, 365] %}
        when {{ days }} then {{ column | replace('?', days) }}
        {%- endfor %}
    end
{%- endmacro %}
