{# A bound of the 95 % interval of a share (Wilson 1927), as SQL. #}
{% macro wilson_bound(successes, trials, side) -%}
    (
        ({{ successes }} + 1.9207
        {{ '+' if side == 'upper' else '-' }} 1.96 * sqrt(
            cast({{ successes }} as double) * ({{ trials }} - {{ successes }}) / nullif({{ trials }}, 0) + 0.9604
        )) / nullif({{ trials }} + 3.8416, 0)
    )
{%- endmacro %}
