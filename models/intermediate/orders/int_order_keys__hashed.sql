with

order_keys as (
    select * from {{ ref('int_order_keys__linked') }}
    where key_value is not null
),

hashed as (
    select
        {{ order_risk_key_number('key_kind', 'key_value') }} as key_number,
        {{ hex_number('left(' ~ hash_text('order_id') ~ ', 15)') }} as order_number,
        ordered_at,
        {{ hex_number('left(' ~ hash_text('person_id') ~ ', 15)') }} as person_number,
        cast(total_amount as double) as total_amount,
        charged_back_at
    from order_keys
)

-- A look-up of six keys reads six blocks of the table, and numbers only.
select
    key_number,
    order_number,
    ordered_at,
    person_number,
    total_amount,
    charged_back_at
from hashed
order by key_number, ordered_at
