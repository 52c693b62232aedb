{# Score 1 (worst) to `groups` (best) by rank, the way pandas.qcut cuts ranks: the value of rank k among n
   falls into group ceil(groups * (k - 1) / (n - 1)), at least 1.

   With a tie breaker, groups are equally large and equal values may fall into different ones; with nothing
   to rank (one row, or all values equal) everybody gets the middle score. Without one, equal values share
   the lowest of their ranks and so the group. #}
{% macro quantile_score(value, partition_by, tie_breaker=none, groups=5, best='highest') -%}
    {%- if best not in ('highest', 'lowest') -%}
        {{ exceptions.raise_compiler_error(
            "quantile_score: best must be 'highest' or 'lowest', not '" ~ best ~ "'."
        ) }}
    {%- endif -%}
    {%- set position -%}
        {%- if tie_breaker -%}
            row_number() over (partition by {{ partition_by }} order by {{ value }}, {{ tie_breaker }})
        {%- else -%}
            rank() over (partition by {{ partition_by }} order by {{ value }})
        {%- endif -%}
    {%- endset -%}
    {%- set group_number -%}
        greatest(1, cast(ceil(
            cast({{ groups }} * ({{ position }} - 1) as double)
            / nullif(count(*) over (partition by {{ partition_by }}) - 1, 0)
        ) as integer))
    {%- endset -%}
    {%- set score -%}
        {% if best == 'lowest' %}{{ groups + 1 }} - {% endif %}{{ group_number }}
    {%- endset -%}
    {%- if tie_breaker -%}
    case
        when
            min({{ value }}) over (partition by {{ partition_by }})
            = max({{ value }}) over (partition by {{ partition_by }})
            then {{ (groups + 1) // 2 }}
        else {{ score }}
    end
    {%- else -%}
    {{ score }}
    {%- endif -%}
{%- endmacro %}
