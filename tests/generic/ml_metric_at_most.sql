{# A stored metric of the champion is low enough. Goes on the fitted model. #}
{% test ml_metric_at_most(model, metric, maximum) %}

{%- set stored = martlet.ml_stored_metric(model, metric) %}

select
    model_name,
    model_version,
    {{ stored }} as metric_value
from {{ model }}
where
    is_champion
    and status <> 'insufficient_data'
    and coalesce({{ stored }} > {{ maximum }}, true)

{% endtest %}
