-- The only place where addresses leave as they are: approved, current, not held back. A view, so
-- that no copy outlives the approval.
with

candidates as (
    select * from {{ ref('fct_looker_candidates') }}
),

addresses as (
    select distinct
        address_id,
        network_key
    from {{ ref('int_ip_addresses__listed') }}
    where address_id is not null
),

-- Of what the model advises and what a person approved, the milder holds.
ranked as (
    select
        *,
        case action when 'block' then 3 when 'challenge' then 2 when 'rate_limit' then 1 else 0 end
            as action_rank,
        case approved_action
            when 'block' then 3 when 'challenge' then 2 when 'rate_limit' then 1 else 0
        end as approved_rank
    from candidates
),

approved as (
    select
        addresses.network_key as network,
        ranked.ip_version,
        case least(ranked.action_rank, ranked.approved_rank)
            when 3 then 'block' when 2 then 'challenge' else 'rate_limit'
        end as action, -- noqa: RF04
        ranked.reason,
        ranked.approved_by,
        ranked.approved_at,
        least(
            ranked.expires_on_date,
            coalesce(ranked.approval_expires_on_date, ranked.expires_on_date)
        ) as expires_on_date,
        ranked.address_id,
        ranked.as_of_date,
        ranked.model_version
    from ranked
    inner join addresses on ranked.address_id = addresses.address_id
    where
        ranked.action_rank > 0
        and ranked.approved_rank > 0
        and not ranked.is_held_back
        and (
            ranked.approval_expires_on_date is null
            or ranked.approval_expires_on_date > ranked.as_of_date
        )
)

select * from approved
