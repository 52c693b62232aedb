-- noqa: disable=PRS
{% set scoring = ml_watch_list() | selectattr('scores', 'defined') | list -%}
with

scores as (
    {% for item in scoring %}
        select
            '{{ item.model }}' as model_name,
            '{{ item.score }}' as score,
            {{ item.get('score_date', 'as_of_date') }} as as_of_date,
            {%- if item.is_category %}
            cast(null as double) as number,
            cast({{ item.score }} as {{ type_string() }}) as category,
            {%- else %}
            cast({{ item.score }} as double) as number,
            cast(null as {{ type_string() }}) as category,
            {%- endif %}
            {{ 'true' if item.is_probability else 'false' }} as is_probability
        from {{ ref(item.scores) }}
        where {{ item.score }} is not null
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

dates as (
    select
        model_name,
        as_of_date,
        max(as_of_date) over (partition by model_name) as newest_date
    from scores
    group by model_name, as_of_date
),

-- The date about a month before; a day before says too little.
compared_dates as (
    select
        model_name,
        newest_date,
        max(
            case when as_of_date <= {{ date_add_days('newest_date', -28) }} then as_of_date end
        ) as before_date
    from dates
    group by model_name, newest_date
),

last_two as (
    select
        scores.model_name,
        scores.score,
        scores.as_of_date = compared_dates.newest_date as is_newest,
        scores.number,
        scores.category,
        scores.is_probability
    from scores
    inner join compared_dates
        on scores.model_name = compared_dates.model_name
        and (
            scores.as_of_date = compared_dates.newest_date
            or scores.as_of_date = compared_dates.before_date
        )
),

-- Ten buckets of equal widths, of probabilities from 0 to 1, else between the hundredths at both ends;
-- the outer ones are open. Buckets of equal counts would be narrow where scores crowd, and take any
-- small move there for a change.
ranked as (
    select
        model_name,
        is_probability,
        number,
        ntile(100) over (partition by model_name order by number) as hundredth
    from last_two
    where not is_newest and number is not null
),

limits as (
    select
        model_name,
        case when is_probability then 0 else max(case when hundredth = 1 then number end) end
            as low,
        case
            when is_probability then 1
            else coalesce(min(case when hundredth = 100 then number end), max(number))
        end as high
    from ranked
    group by model_name, is_probability
),

ranges as (
    select
        model_name,
        low,
        (high - low) / 10 as width
    from limits
),

bucketed as (
    select
        last_two.model_name,
        last_two.score,
        last_two.is_newest,
        case
            when last_two.category is not null then last_two.category
            when ranges.width > 0
                then cast(
                    least(
                        greatest(floor((last_two.number - ranges.low) / ranges.width), 0), 9
                    ) as {{ type_string() }}
                )
            when last_two.number = ranges.low then '0'
            else 'other'
        end as bin
    from last_two
    left join ranges on last_two.model_name = ranges.model_name
),

counted as (
    select
        model_name,
        score,
        bin,
        sum(case when is_newest then 1 else 0 end) as now_count,
        sum(case when is_newest then 0 else 1 end) as before_count
    from bucketed
    group by model_name, score, bin
),

totals as (
    select
        model_name,
        sum(now_count) as now_total,
        sum(before_count) as before_total
    from counted
    group by model_name
),

-- An empty bucket counts as one in ten thousand.
shares as (
    select
        counted.model_name,
        counted.score,
        greatest(
            cast(counted.now_count as double) / nullif(totals.now_total, 0), 0.0001e0
        ) as now_share,
        greatest(
            cast(counted.before_count as double) / nullif(totals.before_total, 0), 0.0001e0
        ) as before_share
    from counted
    inner join totals on counted.model_name = totals.model_name
),

indexes as (
    select
        model_name,
        score,
        count(*) as bin_count,
        sum((now_share - before_share) * ln(now_share / before_share)) as stability_index
    from shares
    group by model_name, score
),

drift as (
    select
        indexes.model_name,
        indexes.score,
        compared_dates.newest_date as as_of_date,
        compared_dates.before_date as compared_with_date,
        case when totals.before_total > 0 then indexes.stability_index end
            as population_stability_index,
        indexes.bin_count,
        cast(totals.now_total as bigint) as row_count,
        cast(totals.before_total as bigint) as compared_with_row_count
    from indexes
    inner join totals on indexes.model_name = totals.model_name
    inner join compared_dates on indexes.model_name = compared_dates.model_name
)

select * from drift
