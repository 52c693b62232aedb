with

comparison as (
    select * from {{ ml_part(ref('ml_churn__fit'), 'comparison') }}
)

select * from comparison
