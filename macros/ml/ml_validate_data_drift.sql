{#
    How far each column of `study` is from the same column of `base`, with the columns of
    ML.VALIDATE_DATA_DRIFT. Numbers by the Jensen-Shannon divergence (base 2) of two histograms of equal
    widths, each over its own range, brought to common edges; categories by the largest difference of a
    share (L_INFTY), or that divergence. Missing values do not count; a column that has values on one side only is
    as far as can be.
#}
{% macro ml_validate_data_drift(
    base, study,
    num_histogram_buckets=10, num_quantiles_histogram_buckets=10, num_values_histogram_buckets=10, num_rank_histogram_buckets=50,
    categorical_default_threshold=0.3, categorical_metric_type='L_INFTY',
    numerical_default_threshold=0.3, numerical_metric_type='JENSEN_SHANNON_DIVERGENCE', thresholds={}
) -%}
{{- martlet._check_drift_settings(categorical_metric_type, numerical_metric_type) -}}
(
    with martlet_elements as (
        {%- for side, input in [('base', base), ('study', study)] %}
        select '{{ side }}' as side, name, kind, unnest(elements) as element
        from ({{ martlet._data_cells(input) }})
        {{ 'union all' if not loop.last }}
        {%- endfor %}
    ),
    martlet_values as (
        select
            side,
            name,
            element,
            {{ martlet._is_number('kind') }} as is_number,
            case when {{ martlet._is_number('kind') }} then {{ martlet._as_number('kind', 'element') }} end as number
        from martlet_elements
        where element is not null
    ),
    martlet_sides as (
        {%- for side, input in [('base', base), ('study', study)] %}
        select distinct '{{ side }}' as side, name, {{ martlet._is_number('kind') }} as is_number
        from ({{ martlet._data_cells(input) }})
        {{ 'union all' if not loop.last }}
        {%- endfor %}
    ),
    martlet_shared as (
        select b.name, b.is_number
        from martlet_sides as b
        join martlet_sides as s on lower(s.name) = lower(b.name) and s.is_number = b.is_number
        where b.side = 'base' and s.side = 'study'
    ),
    martlet_ranges as (
        select side, lower(name) as name, min(number) as low, max(number) as high, count(*) as row_count
        from martlet_values
        where is_number and isfinite(number)
        group by 1, 2
    ),
    martlet_numeric as (
        select
            r.side,
            r.name,
            case when r.high > r.low
                then least(floor((v.number - r.low) / (r.high - r.low) * {{ num_histogram_buckets }}), {{ num_histogram_buckets - 1 }})
                else 0
            end as place,
            any_value(r.low) as low,
            any_value((r.high - r.low) / {{ num_histogram_buckets }}) as width,
            count(*) / any_value(r.row_count) as share
        from martlet_values as v
        join martlet_ranges as r on r.side = v.side and r.name = lower(v.name)
        where v.is_number and isfinite(v.number)
        group by 1, 2, 3
    ),
    martlet_categories as (
        select side, lower(name) as name, element as category, count(*) as row_count
        from martlet_values
        where not is_number
        group by 1, 2, 3
        qualify row_number() over (partition by side, lower(name) order by count(*) desc, element) <= {{ num_rank_histogram_buckets }}
    ),
    martlet_categorical as (
        select side, name, category, row_count / sum(row_count) over (partition by side, name) as share
        from martlet_categories
    ),
    martlet_edges as (
        select distinct name, low + width * place as edge
        from (
            select name, low, width, unnest(range({{ num_histogram_buckets + 1 }})) as place
            from (select distinct side, name, low, width from martlet_numeric)
        )
    ),
    martlet_cumulated as (
        select
            e.name,
            e.edge,
            n.side,
            sum(n.share * case
                when n.width > 0 then least(greatest((e.edge - n.low) / n.width - n.place, 0), 1)
                when e.edge >= n.low then 1
                else 0
            end) as below
        from martlet_edges as e
        join martlet_numeric as n on n.name = e.name
        group by all
    ),
    martlet_bins as (
        select side, name, cast(edge as varchar) as category, below - coalesce(lag(below) over (partition by side, name order by edge), 0) as share
        from martlet_cumulated
        union all
        select side, name, category, share from martlet_categorical
    ),
    martlet_paired as (
        select
            name,
            category,
            coalesce(max(share) filter (where side = 'base'), 0) as p,
            coalesce(max(share) filter (where side = 'study'), 0) as q
        from martlet_bins
        group by name, category
    ),
    martlet_measured as (
        select
            name,
            max(abs(p - q)) as l_infty,
            greatest(sum(
                case when p > 0 then p / 2 * log2(2 * p / (p + q)) else 0 end
                + case when q > 0 then q / 2 * log2(2 * q / (p + q)) else 0 end
            ), 0) as jensen_shannon_divergence,
            sum(p) > 0 as has_base,
            sum(q) > 0 as has_study
        from martlet_paired
        group by name
    ),
    martlet_compared as (
        select
            s.name as input,
            case when s.is_number then '{{ numerical_metric_type | upper }}' else '{{ categorical_metric_type | upper }}' end as metric,
            cast(coalesce(
                {{ martlet._given_thresholds(thresholds) }}[lower(s.name)],
                case when s.is_number then {{ numerical_default_threshold }} else {{ categorical_default_threshold }} end
            ) as double) as threshold,
            case
                when m.name is null then 0.0
                when not (m.has_base and m.has_study) then 1.0
                {%- if categorical_metric_type | upper == 'L_INFTY' %}
                when not s.is_number then m.l_infty
                {%- endif %}
                else m.jensen_shannon_divergence
            end as value
        from martlet_shared as s
        left join martlet_measured as m on m.name = lower(s.name)
    )
    select input, metric, threshold, cast(value as double) as value, value > threshold as is_anomaly
    from martlet_compared
    order by input
)
{%- endmacro %}

{% macro _check_drift_settings(categorical_metric_type, numerical_metric_type) -%}
    {%- if categorical_metric_type | upper not in ['L_INFTY', 'JENSEN_SHANNON_DIVERGENCE'] -%}
        {%- do exceptions.raise_compiler_error(
            "categorical_metric_type is L_INFTY or JENSEN_SHANNON_DIVERGENCE, not '" ~ categorical_metric_type ~ "'."
        ) -%}
    {%- endif -%}
    {%- if numerical_metric_type | upper != 'JENSEN_SHANNON_DIVERGENCE' -%}
        {%- do exceptions.raise_compiler_error(
            "numerical_metric_type is JENSEN_SHANNON_DIVERGENCE, not '" ~ numerical_metric_type ~ "'."
        ) -%}
    {%- endif -%}
{%- endmacro %}

{# A mapping, or a list of pairs as in BigQuery, as a DuckDB map from lower-case names. #}
{% macro _given_thresholds(thresholds) -%}
    {%- set pairs = thresholds.items() | list if thresholds is mapping else thresholds -%}
    map([{% for name, _ in pairs %}'{{ name | lower | replace("'", "''") }}'{{ ', ' if not loop.last }}{% endfor %}]::varchar[], [
    {%- for _, value in pairs %}{{ value }}{{ ', ' if not loop.last }}{% endfor %}]::double[])
{%- endmacro %}
