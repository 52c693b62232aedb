{#
    Probabilities mean what they say: over bins of equal width, the mean distance between the mean
    probability and the observed share, weighted by the rows of the bin (the expected calibration
    error of Naeini et al. 2015), is small. Goes on a table of predictions.
#}
{% test ml_calibrated_within(model, probability, outcome, tolerance, bins=10) %}

with predictions as (

    select
        cast({{ probability }} as double) as probability,
        case when {{ outcome }} then 1.0 else 0.0 end as outcome
    from {{ model }}
    where {{ probability }} is not null and ({{ outcome }}) is not null

),

binned as (

    select
        least(floor(probability * {{ bins }}), {{ bins - 1 }}) as bin,
        count(*) as row_count,
        abs(avg(probability) - avg(outcome)) as gap
    from predictions
    group by 1

)

select sum(gap * row_count) / sum(row_count) as calibration_error
from binned
having coalesce(sum(gap * row_count) / sum(row_count) > {{ tolerance }}, false)

{% endtest %}
