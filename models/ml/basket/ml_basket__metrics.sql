with

versions as (
    select * from {{ ref('ml_basket__fit') }}
),

training_rows as (
    select max(as_of_date) as as_of_date from {{ ref('ml_basket__training_set') }}
),

measures as (
    {% for metric in [
        'log_loss', 'hit_rate_at_1', 'hit_rate_at_5', 'hit_rate_at_10', 'mean_reciprocal_rank'
    ] %}
        select
            model_version,
            is_champion,
            status,
            '{{ metric }}' as metric,
            {{ 'true' if metric == 'log_loss' else 'false' }} as is_lower_better,
            {{ json_number('metrics', metric) }} as metric_value,
            {{ json_number('baseline_metrics', metric) }} as popularity_value
        from versions
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

compared as (
    select
        measures.model_version,
        measures.is_champion,
        measures.status,
        training_rows.as_of_date,
        measures.metric,
        measures.metric_value,
        measures.popularity_value,
        case
            when measures.is_lower_better then measures.popularity_value - measures.metric_value
            else measures.metric_value - measures.popularity_value
        end as gain_over_popularity
    from measures
    cross join training_rows
    where measures.status <> 'insufficient_data'
)

select * from compared
