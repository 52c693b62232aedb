with

guarded_model as (
    select * from {{ ref('ml_return_visits__fit') }}
),

leaking_model as (
    select * from {{ ref('ml_return_visits__fit_leaking') }}
),

ranked as (
    select
        *,
        row_number() over (order by as_of_date, visitor_id) as place,
        count(*) over () as row_count
    from {{ ref('ml_return_visits__training_set') }}
),

-- Both models were fitted on visitors of before; as in real use, only the first day is known.
later_visitors as (
    select *
    from ranked
    where place > 0.75 * row_count
),

judged as (
    select
        'guarded' as fit_name,
        'own evaluation rows' as judged_on,
        guarded_claim.roc_auc,
        guarded_claim.log_loss
    from {{ ml_evaluate(ref('ml_return_visits__fit')) }} as guarded_claim
    union all
    select
        'guarded' as fit_name,
        'later visitors, first day' as judged_on,
        guarded_use.roc_auc,
        guarded_use.log_loss
    from {{ ml_evaluate(ref('ml_return_visits__fit'), 'later_visitors') }} as guarded_use
    union all
    select
        'leaking' as fit_name,
        'own evaluation rows' as judged_on,
        leaking_claim.roc_auc,
        leaking_claim.log_loss
    from {{ ml_evaluate(ref('ml_return_visits__fit_leaking')) }} as leaking_claim
    union all
    select
        'leaking' as fit_name,
        'later visitors, first day' as judged_on,
        leaking_use.roc_auc,
        leaking_use.log_loss
    from {{ ml_evaluate(ref('ml_return_visits__fit_leaking'), 'later_visitors') }} as leaking_use
),

counted as (
    select
        max(as_of_date) as as_of_date,
        count(*) as visitor_count,
        sum(case when will_buy_on_return_visit then 1 else 0 end) as buyer_count
    from later_visitors
)

select
    judged.fit_name,
    judged.judged_on,
    counted.as_of_date,
    case
        when judged.fit_name = 'guarded' then guarded_model.model_version
        else leaking_model.model_version
    end as model_version,
    counted.visitor_count,
    counted.buyer_count,
    judged.roc_auc,
    judged.log_loss
from judged
cross join counted
inner join guarded_model on guarded_model.is_champion
inner join leaking_model on leaking_model.is_champion
