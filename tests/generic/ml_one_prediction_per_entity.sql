{#
    Every eligible entity has exactly one prediction, and nobody else has any. Goes on the predictions;
    `eligible` is the relation of those who must have one.
#}
{% test ml_one_prediction_per_entity(model, eligible, entity_cols) %}

{%- set columns = [entity_cols] if entity_cols is string else entity_cols %}

with eligible_entities as (

    select distinct {{ columns | join(', ') }}
    from {{ eligible }}

),

predictions as (

    select
        {{ columns | join(',\n        ') }},
        count(*) as prediction_count
    from {{ model }}
    group by {{ columns | join(', ') }}

)

select
    {%- for column in columns %}
    coalesce(eligible_entities.{{ column }}, predictions.{{ column }}) as {{ column }},
    {%- endfor %}
    coalesce(predictions.prediction_count, 0) as prediction_count,
    eligible_entities.{{ columns[0] }} is not null as is_eligible
from eligible_entities
full outer join predictions
    on
    {%- for column in columns %}
        {% if not loop.first %}and {% endif %}eligible_entities.{{ column }} = predictions.{{ column }}
    {%- endfor %}
where
    coalesce(predictions.prediction_count, 0) <> 1
    or eligible_entities.{{ columns[0] }} is null

{% endtest %}
