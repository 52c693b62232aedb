with

versions as (
    {% for item in ml_watch_list() %}
        select
            '{{ item.model }}' as model_name,
            '{{ item.title }}' as title,
            '{{ item.metric }}' as metric,
            {{ item.is_lower_better | lower }} as is_lower_better,
            model_version,
            is_champion,
            status,
            model_type,
            trained_at,
            training_rows,
            evaluation_rows,
            {{ json_number('metrics', item.metric) }} as metric_value,
            {{ json_number('baseline_metrics', item.metric) }} as baseline_value,
            {{ json_number('metrics', 'roc_auc') }} as roc_auc,
            {{ json_number('metrics', 'log_loss') }} as log_loss,
            {{ last_of_list('notices') }} as last_notice
        from {{ ref(item.model) }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

as_of_dates as (
    select as_of_date
    from {{ ref('int_as_of_dates__spine') }}
    where is_current
),

-- A shop without a single fact has models all the same, and no day they are told as of.
dated as (
    select
        versions.model_name,
        versions.title,
        versions.model_version,
        coalesce(as_of_dates.as_of_date, cast({{ build_timestamp() }} as date)) as as_of_date,
        versions.is_champion,
        versions.status,
        versions.model_type,
        versions.trained_at,
        versions.training_rows as training_row_count,
        versions.evaluation_rows as evaluation_row_count,
        versions.metric,
        versions.is_lower_better,
        versions.metric_value,
        versions.baseline_value,
        case
            when versions.metric_value is null or versions.baseline_value is null then null
            when versions.is_lower_better then versions.metric_value < versions.baseline_value
            else versions.metric_value > versions.baseline_value
        end as is_better_than_baseline,
        versions.roc_auc,
        versions.log_loss,
        case
            when versions.status = 'insufficient_data'
                then coalesce(versions.last_notice, 'not enough data')
        end as insufficient_data_reason
    from versions
    left join as_of_dates on true
)

select * from dated
