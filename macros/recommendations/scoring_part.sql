{#
    A condition: the customers of the first part, on whom a table of scores is made; `score_further_parts` adds the
    others. To score all of many customers at once would want more memory than there is; part after part it
    wants the same for a million as for twenty thousand.
#}
{% macro scoring_part(customer) -%}
    {{- return(hash_number(customer) ~ martlet._remainder(scoring_part_count(), 0)) -}}
{%- endmacro %}

{% macro _remainder(parts, part) -%}
    {{- return(' % ' ~ parts ~ ' = ' ~ part ~ ' /* part */') -}}
{%- endmacro %}
