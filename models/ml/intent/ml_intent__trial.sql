with

trial as (
    select * from {{ ml_part(ref('ml_intent__fit'), 'trial') }}
)

select * from trial
