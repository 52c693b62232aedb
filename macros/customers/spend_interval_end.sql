{# One end of the 90 % prediction interval of a customer's spend, from its mean, its variance and the
   probability of none. The spend of those who buy is taken as lognormal with their mean and variance.
   Where nothing is within the interval nothing lies below it, and the whole tenth is left out above. #}
{% macro spend_interval_end(end, mean, variance, idle) -%}
    {%- if end == 'lower' -%}
    case when {{ idle }} > 0.05 then 0 else {{ spend_exceeded(0.95, mean, variance, idle) }} end
    {%- else -%}
    case
        when {{ idle }} > 0.05 then {{ spend_exceeded(0.1, mean, variance, idle) }}
        else {{ spend_exceeded(0.05, mean, variance, idle) }}
    end
    {%- endif -%}
{%- endmacro %}
