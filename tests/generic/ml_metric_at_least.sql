{# A stored metric of the champion is high enough. Goes on the fitted model. #}
{% test ml_metric_at_least(model, metric, minimum) %}

select
    model_name,
    model_version,
    cast(metrics ->> '{{ metric }}' as double) as metric_value
from {{ model }}
where
    is_champion
    and status <> 'insufficient_data'
    and coalesce(cast(metrics ->> '{{ metric }}' as double) < {{ minimum }}, true)

{% endtest %}
