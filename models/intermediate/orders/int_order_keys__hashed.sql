with

order_keys as (
    select
        *,
        {{ order_risk_kind_number('key_kind') }} as kind_number
    from {{ ref('int_order_keys__linked') }}
    where key_value is not null
),

hashed as (
    select
        {{ order_risk_key_number('kind_number', 'key_value') }} as key_number,
        {{ hex_number('left(' ~ hash_text('order_id') ~ ', 15)') }} as order_number,
        {{ epoch_microseconds('ordered_at') }} as moment,
        {{ hex_number('left(' ~ hash_text('person_id') ~ ', 15)') }} as person_number,
        cast(total_amount as double) as total_amount,
        {{ epoch_microseconds('charged_back_at') }} as chargeback_moment
    from order_keys
)

-- A look-up of six keys reads six blocks of the table, and numbers only.
select
    key_number,
    order_number,
    moment,
    person_number,
    total_amount,
    chargeback_moment
from hashed
order by key_number, moment
