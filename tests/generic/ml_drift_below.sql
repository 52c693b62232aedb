{#
    A column is still distributed as in the rows it is compared with. Goes on the new rows.
    `method`: population_stability_index, jensen_shannon (base 2, so at most 1) or l_infinity.
    Numbers are cut at the quantiles of `compare_to` into `bins`; other columns are compared value by
    value; NULL is a value.
#}
{% test ml_drift_below(model, column_name, compare_to, threshold, method='population_stability_index', bins=10, numeric=true) %}

{%- if method not in ['population_stability_index', 'jensen_shannon', 'l_infinity'] -%}
    {%- do exceptions.raise_compiler_error(
        "ml_drift_below: method is population_stability_index, jensen_shannon or l_infinity, not '" ~ method ~ "'."
    ) -%}
{%- endif %}

with
{%- if numeric %}
ranked as (

    select
        cast({{ column_name }} as double) as value,
        ntile({{ bins }}) over (order by cast({{ column_name }} as double)) as bin
    from {{ compare_to }}
    where {{ column_name }} is not null

),

edges as (

    select distinct max(value) as edge
    from ranked
    group by bin

),
{%- endif %}

before as (

    select {{ 'cast(%s as double)' | format(column_name) if numeric else 'cast(%s as string)' | format(column_name) }} as value
    from {{ compare_to }}

),

after as (

    select {{ 'cast(%s as double)' | format(column_name) if numeric else 'cast(%s as string)' | format(column_name) }} as value
    from {{ model }}

),

valued as (

    select 'before' as side, value from before
    union all
    select 'after' as side, value from after

),

binned as (

    select
        valued.side,
        {%- if numeric %}
        {#- how many edges lie below; values above the last edge share its bin #}
        case
            when valued.value is null then -1
            else least(
                (select count(*) from edges where edges.edge < valued.value),
                (select count(*) - 1 from edges)
            )
        end as bin
        {%- else %}
        coalesce(valued.value, '_null_filler') as bin
        {%- endif %}
    from valued

),

counted as (

    select
        bin,
        count(case when side = 'before' then 1 end) as before_count,
        count(case when side = 'after' then 1 end) as after_count
    from binned
    group by bin

),

shares as (

    select
        cast(before_count as double) / nullif(sum(before_count) over (), 0) as p,
        cast(after_count as double) / nullif(sum(after_count) over (), 0) as q
    from counted

),

measured as (

    select
        {%- if method == 'population_stability_index' %}
        {#- an empty bin counts as one in ten thousand, else one new value would be infinite drift #}
        sum((greatest(q, 0.0001) - greatest(p, 0.0001)) * ln(greatest(q, 0.0001) / greatest(p, 0.0001)))
        {%- elif method == 'jensen_shannon' %}
        sum(
            case when p > 0 then 0.5 * p * ln(2 * p / (p + q)) else 0 end
            + case when q > 0 then 0.5 * q * ln(2 * q / (p + q)) else 0 end
        ) / ln(2)
        {%- else %}
        max(abs(p - q))
        {%- endif %} as drift
    from shares

)

select drift
from measured
where drift > {{ threshold }}

{% endtest %}
