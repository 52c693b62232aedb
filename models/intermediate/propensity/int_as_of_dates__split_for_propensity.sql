with

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

now as (
    select as_of_date as observed_until
    from as_of_dates
    where is_current
),

-- A label is known when its whole window is over: the current date tells nothing yet.
complete as (
    select
        as_of_dates.as_of_date,
        {{ date_add_days('as_of_dates.as_of_date', var('martlet_propensity_days')) }}
            as label_until
    from as_of_dates
    cross join now
    where
        not as_of_dates.is_current
        and {{ date_add_days('as_of_dates.as_of_date', var('martlet_propensity_days')) }}
        <= now.observed_until
),

test_cutoff as (
    select max(as_of_date) as tested_at
    from complete
),

-- What trains must have been known when the test began.
training as (
    select
        complete.as_of_date,
        complete.label_until,
        row_number() over (order by complete.as_of_date desc) as cutoff_rank
    from complete
    cross join test_cutoff
    where complete.label_until <= test_cutoff.tested_at
),

cutoffs as (
    select
        as_of_date,
        label_until,
        'train' as cutoff_role
    from training
    where cutoff_rank <= 3
    union all
    select
        complete.as_of_date,
        complete.label_until,
        'test' as cutoff_role
    from complete
    inner join test_cutoff on complete.as_of_date = test_cutoff.tested_at
    union all
    select
        as_of_date,
        {{ date_add_days('as_of_date', var('martlet_propensity_days')) }} as label_until,
        'current' as cutoff_role
    from as_of_dates
    where is_current
)

select * from cutoffs
