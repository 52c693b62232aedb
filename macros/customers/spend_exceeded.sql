{# The amount that spend exceeds with the given probability. The normal quantile is that of Abramowitz and
   Stegun, Handbook of Mathematical Functions (1964), 26.2.23, to 4.5e-4. #}
{% macro spend_exceeded(tail, mean, variance, idle) -%}
    {%- set some = '(1 - (' ~ idle ~ '))' -%}
    {%- set share = '(' ~ tail ~ ' / ' ~ some ~ ')' -%}
    {%- set side = 'least(' ~ share ~ ', 1 - ' ~ share ~ ')' -%}
    {%- set root = 'sqrt(-2 * ln(greatest(' ~ side ~ ', 1e-300)))' -%}
    {%- set normal -%}
        ({{ root }} - (2.515517 + 0.802853 * {{ root }} + 0.010328 * power({{ root }}, 2))
        / (1 + 1.432788 * {{ root }} + 0.189269 * power({{ root }}, 2) + 0.001308 * power({{ root }}, 3)))
        * case when {{ share }} < 0.5 then 1 else -1 end
    {%- endset -%}
    {#- E[S^2 | S > 0] / E[S | S > 0]^2, whose logarithm is the variance of the logarithm. -#}
    {%- set ratio -%}
        greatest({{ some }} * (({{ variance }}) / nullif(power({{ mean }}, 2), 0) + 1), 1)
    {%- endset -%}
    case
        when {{ some }} <= {{ tail }} then 0
        else ({{ mean }}) / {{ some }} * exp(
            {{ normal }} * sqrt(ln({{ ratio }})) - ln({{ ratio }}) / 2
        )
    end
{%- endmacro %}
