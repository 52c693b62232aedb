with

rejected as (
    select * from {{ rejected_rows(contract_entities()) }}
),

-- The same row may be delivered, and rejected, more than once.
numbered as (
    select
        *,
        row_number() over (
            partition by connector, entity, source_key, rejection_reason, source_row
            order by source_key
        ) as occurrence
    from rejected
),

quarantine as (
    select
        {{ hash_text(
            ['connector', 'entity', 'source_key', 'rejection_reason', 'source_row', 'occurrence']
        ) }} as quarantine_id,
        connector,
        entity,
        source_key,
        rejection_reason,
        source_row
    from numbered
)

select * from quarantine
