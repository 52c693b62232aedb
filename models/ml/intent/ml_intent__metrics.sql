with

comparison as (
    select * from {{ ml_part(ref('ml_intent__fit'), 'comparison') }}
)

select * from comparison
