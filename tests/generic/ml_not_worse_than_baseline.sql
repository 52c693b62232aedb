{#
    The champion beats an answer that needs no model, on the same evaluation rows. Goes on the fitted
    model. `baseline`: majority_class or mean (both stored with the model at its fit), or
    previous_version (the metrics stored with the version before). `margin` is how much better it
    must be; a negative margin allows as much worse. For metrics of a type's own, `higher_is_better`
    says which way is better; without it less is.
#}
{% test ml_not_worse_than_baseline(model, metric, baseline='majority_class', margin=0, higher_is_better=none) %}

{%- set known = metric in [
    'precision', 'recall', 'accuracy', 'f1_score', 'roc_auc', 'r2_score', 'explained_variance',
    'total_explained_variance_ratio'
] -%}
{%- set better = 1 if (known if higher_is_better is none else higher_is_better) else -1 -%}
{%- if baseline not in ['majority_class', 'mean', 'previous_version'] -%}
    {%- do exceptions.raise_compiler_error(
        "ml_not_worse_than_baseline: baseline is majority_class, mean or previous_version, not '" ~ baseline ~ "'."
    ) -%}
{%- endif %}

{%- set stored = martlet.ml_stored_metric(model, metric) %}

with versions as (

    select
        model_name,
        model_version,
        is_champion,
        status,
        {{ stored }} as metric_value,
        {%- if baseline == 'previous_version' %}
        lag({{ stored }}) over (order by model_version)
        {%- else %}
        {{ martlet.ml_stored_metric(model, metric, 'baseline_metrics') }}
        {%- endif %} as baseline_value,
        row_number() over (order by model_version) as version_number
    from {{ model }}
    where status <> 'insufficient_data'

)

select
    model_name,
    model_version,
    metric_value,
    baseline_value
from versions
where
    is_champion
    {%- if baseline == 'previous_version' %}
    and version_number > 1
    {%- endif %}
    and coalesce({{ better }} * (metric_value - baseline_value) < {{ margin }}, true)

{% endtest %}
