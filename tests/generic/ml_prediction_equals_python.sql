{#
    The compiled SQL of the champion gave what Python gave for the same rows, as measured at its fit on
    up to 1000 evaluation rows. Goes on the fitted model.
#}
{% test ml_prediction_equals_python(model, tolerance=1e-9) %}

select
    model_name,
    model_version,
    scoring_difference
from {{ model }}
where
    is_champion
    and status <> 'insufficient_data'
    and coalesce(scoring_difference > {{ tolerance }}, true)

{% endtest %}
