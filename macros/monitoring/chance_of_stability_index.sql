{# The population stability index that samples of these sizes stay below in 95 of 100 cases when nothing has
   changed: it is nearly a chi-square with one degree less than there are buckets, times the sum of the
   reciprocal sizes (Yurdakul 2018). #}
{% macro chance_of_stability_index(count_before, count_now, bins) -%}
    (
        1 / nullif(cast({{ count_before }} as double), 0) + 1 / nullif(cast({{ count_now }} as double), 0)
    ) * ({{ bins }} - 1 + 1.645e0 * sqrt(2 * ({{ bins }} - 1)))
{%- endmacro %}
