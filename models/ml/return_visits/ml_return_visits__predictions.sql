with

versions as (
    select * from {{ ref('ml_return_visits__fit') }}
),

scored as (
    select * from {{ ml_predict(ref('ml_return_visits__fit'), ref('ftr_visitors__first_day')) }}
)

select
    scored.visitor_id,
    scored.as_of_date,
    {{ first_of_list('scored.predicted_will_buy_on_return_visit_probs') }}.prob
        as return_purchase_probability,
    versions.model_version,
    {{ build_timestamp() }} as predicted_at
from scored
inner join versions on versions.is_champion
