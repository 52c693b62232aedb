{# Statistics of each column, with the columns of ML.DESCRIBE_DATA. Exact, where BigQuery's are approximate. #}
{% macro ml_describe_data(input, num_quantiles=2, num_array_length_quantiles=10, top_k=1) -%}
{%- for name, value in {
    'num_quantiles': num_quantiles, 'num_array_length_quantiles': num_array_length_quantiles, 'top_k': top_k
}.items() if value is not integer or value < 1 or value > 100000 -%}
    {%- do exceptions.raise_compiler_error(
        'ml_describe_data: ' ~ name ~ " is a whole number from 1 to 100000, not '" ~ value ~ "'."
    ) -%}
{%- endfor -%}
(
    with martlet_cells as (
        {{ martlet._data_cells(input) }}
    ),
    martlet_values as (
        select
            name,
            {{ martlet._is_number('kind') }} as is_number,
            element,
            case when {{ martlet._is_number('kind') }} then {{ martlet._as_number('kind', 'element') }} end as number
        from (select name, kind, unnest(elements) as element from martlet_cells)
        where element is not null
    ),
    martlet_columns as (
        select
            name,
            count(*) as num_rows,
            count(*) filter (where is_missing) as num_nulls,
            sum(len(elements)) as num_values,
            any_value(is_array) as is_array,
            min(len(elements)) filter (where is_array and not is_missing) as min_array_length,
            max(len(elements)) filter (where is_array and not is_missing) as max_array_length,
            avg(len(elements)) filter (where is_array and not is_missing) as avg_array_length,
            sum(len(elements)) filter (where is_array and not is_missing) as total_array_length,
            quantile_disc(len(elements), {{ martlet._quantile_points(num_array_length_quantiles) }})
                filter (where is_array and not is_missing) as array_length_quantiles
        from martlet_cells
        group by name
    ),
    martlet_measures as (
        select
            name,
            any_value(is_number) as is_number,
            count(*) filter (where number = 0) as num_zeros,
            case when any_value(is_number) then min_by(element, number) else min(element) end as least_value,
            case when any_value(is_number) then max_by(element, number) else max(element) end as greatest_value,
            avg(number) filter (where isfinite(number)) as mean,
            stddev_pop(number) filter (where isfinite(number)) as stdev,
            quantile_cont(number, 0.5) filter (where isfinite(number)) as median,
            quantile_disc(number, {{ martlet._quantile_points(num_quantiles) }}) filter (where isfinite(number)) as quantiles,
            avg(length(element)) as avg_string_length
        from martlet_values
        group by name
    ),
    martlet_counts as (
        select name, element, count(*) as element_count
        from martlet_values
        where not is_number
        group by name, element
    ),
    martlet_tops as (
        select
            name,
            count(*) as unique_count,
            list_slice(list({'value': element, 'count': element_count} order by element_count desc, element), 1, {{ top_k }})
                as top_values
        from martlet_counts
        group by name
    )
    select
        c.name,
        cast(c.num_rows as bigint) as num_rows,
        cast(c.num_nulls as bigint) as num_nulls,
        case when m.is_number then cast(m.num_zeros as bigint) end as num_zeros,
        m.least_value as "min",
        m.greatest_value as "max",
        m.mean,
        m.stdev,
        m.median,
        m.quantiles,
        cast(t.unique_count as bigint) as "unique",
        case when not m.is_number then m.avg_string_length end as avg_string_length,
        cast(c.num_values as bigint) as num_values,
        t.top_values,
        cast(c.min_array_length as bigint) as min_array_length,
        cast(c.max_array_length as bigint) as max_array_length,
        c.avg_array_length,
        cast(c.total_array_length as bigint) as total_array_length,
        cast(c.array_length_quantiles as bigint[]) as array_length_quantiles,
        cast(null as bigint) as dimension
    from martlet_columns as c
    left join martlet_measures as m on m.name = c.name
    left join martlet_tops as t on t.name = c.name
    order by c.name
)
{%- endmacro %}

{# 0, 1/n, ... 1 as a list. #}
{% macro _quantile_points(number) -%}
    [{% for place in range(number + 1) %}{{ place }} / {{ number }}.0{{ ', ' if not loop.last }}{% endfor %}]
{%- endmacro %}
