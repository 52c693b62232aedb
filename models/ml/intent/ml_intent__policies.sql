with

policies as (
    select * from {{ ml_part(ref('ml_intent__fit'), 'policies') }}
)

select * from policies
