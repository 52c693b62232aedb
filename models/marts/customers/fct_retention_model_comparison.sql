with

comparison as (
    select * from {{ ml_part(ref('ml_retention__fit'), 'comparison') }}
)

select * from comparison
