{#
    How far each input in `input` is from what it was in the model's training rows, in the buckets that are
    stored with the version: the population stability index sum((q - p) * ln(q / p)) over shares p then and
    q now, an empty bucket counting as one in ten thousand (Siddiqi 2006), and a distance over the same buckets:
    Jensen-Shannon divergence (base 2) for numbers, largest difference of a share for categories. Unlike
    ml_validate_data_skew, which gives the rows of now a histogram of their own as BigQuery does, whole numbers
    whose largest value moved do not look changed. The outer buckets are open. One row an input that had values in training. Values that training had none of are counted apart: numbers outside its range, categories
    not among those kept (NULL when so many were kept that others may have been left out). Of more than
    `sample_rows` rows about so many are drawn.
#}
{% macro ml_population_stability(model, input, sample_rows=20000, version=none) -%}
(
    select * exclude (model_name)
    from {{ martlet._population_stabilities([['', model, input]], sample_rows, version) }}
)
{%- endmacro %}

{#
    The same of several models at once, with a column `model_name`: `compared` lists name, model and rows of each. One
    query of many models takes the database a fraction of the time it takes to plan one query a model.
#}
{% macro _population_stabilities(compared, sample_rows=20000, version=none) -%}
(
    with martlet_kept as (
        {%- for name, model, input in compared %}
        select '{{ name }}' as model_name, lower(input) as name, input, is_number, row_count, low, width, place, category
        from {{ ml_part(model, 'training_statistics', version) }}
        {%- if not loop.last %}
        union all
        {%- endif %}
        {%- endfor %}
    ),
    martlet_inputs as (
        select
            model_name,
            name,
            any_value(input) as input,
            bool_or(is_number) as is_number,
            sum(row_count) as training_count,
            min(low) as low,
            max(width) as width,
            not bool_or(is_number) and count(*) >= 50 as is_cut_off
        from martlet_kept
        group by model_name, name
    ),
    {%- for name, model, input in compared %}
    martlet_sample_{{ loop.index }} as (
        -- By the rows' own hash: the same rows in another order are the same sample.
        select martlet_row.*
        from {{ input }} as martlet_row
        where hash(martlet_row) <= 18446744073709551615 * {{ sample_rows }}.0 / (
            select greatest(count(*), {{ sample_rows }}) from {{ input }}
        )
    ),
    {%- endfor %}
    martlet_rows as (
        {%- for name, model, input in compared %}
        select '{{ name }}' as model_name, count(*) as row_count from martlet_sample_{{ loop.index }}
        {%- if not loop.last %}
        union all
        {%- endif %}
        {%- endfor %}
    ),
    martlet_cells as (
        {%- for name, model, input in compared %}
        select '{{ name }}' as model_name, lower(name) as name, kind, is_array, unnest(elements) as element
        from ({{ martlet._data_cells('martlet_sample_' ~ loop.index) }})
        {%- if not loop.last %}
        union all
        {%- endif %}
        {%- endfor %}
    ),
    martlet_values as (
        select
            i.model_name,
            i.name,
            i.is_number,
            i.is_cut_off,
            i.low,
            i.width,
            c.is_array,
            c.element as category,
            case when i.is_number then {{ martlet._as_number('c.kind', 'c.element') }} end as number
        from martlet_cells as c
        join martlet_inputs as i on i.model_name = c.model_name and i.name = c.name
    ),
    martlet_binned as (
        select
            v.model_name,
            v.name,
            v.is_array,
            case
                when not v.is_number then coalesce(k.category, '_unseen')
                when v.width > 0 then cast(cast(least(greatest(floor((v.number - v.low) / v.width), 0), 9) as bigint) as varchar)
                when v.number = v.low then '0'
                else '_unseen'
            end as bin,
            case
                when not v.is_number then k.category is null
                else v.number < v.low - 1e-9 * abs(v.low) or v.number > v.low + 10 * v.width + 1e-9 * abs(v.low + 10 * v.width)
            end as is_unseen,
            v.is_cut_off
        from martlet_values as v
        left join martlet_kept as k
            on k.model_name = v.model_name and k.name = v.name and not k.is_number and k.category = v.category
        where not v.is_number or isfinite(v.number)
    ),
    martlet_counts as (
        select
            model_name,
            name,
            case when is_number then cast(place as varchar) else category end as bin,
            row_count as before_count,
            0 as after_count
        from martlet_kept
        union all
        select model_name, name, bin, 0, count(*)
        from martlet_binned
        where not (is_cut_off and is_unseen)
        group by model_name, name, bin
    ),
    martlet_paired as (
        select model_name, name, bin, sum(before_count) as before_count, sum(after_count) as after_count
        from martlet_counts
        group by model_name, name, bin
    ),
    martlet_shares as (
        select
            model_name,
            name,
            before_count / sum(before_count) over (partition by model_name, name) as p,
            after_count / nullif(sum(after_count) over (partition by model_name, name), 0) as q
        from martlet_paired
    ),
    martlet_measured as (
        select
            model_name,
            name,
            count(*) as bin_count,
            sum((greatest(q, 0.0001) - greatest(p, 0.0001)) * ln(greatest(q, 0.0001) / greatest(p, 0.0001))) as stability,
            max(abs(p - q)) as l_infty,
            greatest(sum(
                case when p > 0 then p / 2 * log2(2 * p / (p + q)) else 0 end
                + case when q > 0 then q / 2 * log2(2 * q / (p + q)) else 0 end
            ), 0) as divergence
        from martlet_shares
        group by model_name, name
    ),
    martlet_seen as (
        select
            model_name,
            name,
            count(*) as scored_count,
            bool_or(is_array) as is_array,
            avg(case when is_unseen then 1.0 else 0.0 end) as unseen_share
        from martlet_binned
        group by model_name, name
    )
    select
        i.model_name,
        i.input,
        i.is_number,
        cast(i.training_count as bigint) as training_value_count,
        cast(coalesce(s.scored_count, 0) as bigint) as value_count,
        cast(r.row_count as bigint) as row_count,
        coalesce(s.is_array, false) as is_array,
        i.is_cut_off,
        cast(m.bin_count as bigint) as bin_count,
        cast(case when s.scored_count > 0 then m.stability end as double) as population_stability_index,
        case when i.is_number then 'JENSEN_SHANNON_DIVERGENCE' else 'L_INFTY' end as distance_metric,
        cast(case when s.scored_count > 0 then case when i.is_number then m.divergence else m.l_infty end end as double) as distance,
        cast(case when not i.is_cut_off then s.unseen_share end as double) as unseen_share
    from martlet_inputs as i
    join martlet_rows as r on r.model_name = i.model_name
    join martlet_measured as m on m.model_name = i.model_name and m.name = i.name
    left join martlet_seen as s on s.model_name = i.model_name and s.name = i.name
)
{%- endmacro %}
