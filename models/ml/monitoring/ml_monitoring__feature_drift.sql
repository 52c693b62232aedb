{%- set watched = ml_watch_list() -%}
with

versions as (
    select * from {{ ref('ml_monitoring__versions') }}
    where is_champion
),

{% for item in watched %}
{{ item.model }}_now as (
    select * from {{ ref(item.rows) }}
    {%- if item.latest_by %}
    where
        cast({{ item.latest_by }} as date) >= (
            select {{ date_add_days('max(' ~ item.latest_by ~ ')', -item.get('latest_days', 0)) }}
            from {{ ref(item.rows) }}
        )
    {%- elif item.rows_where %}
    where {{ item.rows_where }}
    {%- endif %}
),

{% endfor %}
{%- set compared = [] -%}
{%- set ignored = [] -%}
{%- for item in watched -%}
    {%- do compared.append([item.model, ref(item.model), item.model ~ '_now']) -%}
    {%- if item.ignored_inputs -%}
        {%- do ignored.append("(model_name = '" ~ item.model ~ "' and lower(input) in ('" ~ item.ignored_inputs | join("', '") ~ "'))") -%}
    {%- endif -%}
{%- endfor %}
stabilities as (
    select
        model_name,
        lower(input) as input,
        training_value_count,
        value_count,
        row_count,
        is_array,
        is_cut_off,
        bin_count,
        distance_metric,
        distance,
        population_stability_index,
        unseen_share
    from {{ martlet._population_stabilities(compared) }}
    where not (
        {{ ignored | join('\n        or ') }}
    )
),

-- What training had no value of, the model does not use: it has no buckets and no row here.
compared as (
    select
        stabilities.model_name,
        stabilities.input,
        versions.model_version,
        versions.as_of_date,
        stabilities.distance_metric,
        stabilities.distance,
        stabilities.population_stability_index,
        stabilities.bin_count,
        stabilities.unseen_share,
        case
            when not stabilities.is_array and not stabilities.is_cut_off
                then
                    1 - cast(stabilities.value_count as double) / nullif(stabilities.row_count, 0)
        end as missing_share,
        case
            when not stabilities.is_array and not stabilities.is_cut_off
                then greatest(
                    1 - cast(stabilities.training_value_count as double)
                    / nullif(versions.training_row_count, 0),
                    0
                )
        end as training_missing_share,
        stabilities.training_value_count,
        stabilities.value_count,
        stabilities.row_count
    from stabilities
    inner join versions on stabilities.model_name = versions.model_name
)

select * from compared
