{%- set signs = looker_signs() -%}
with

expectations as (
    select * from {{ ref('ml_lookers__expectations') }}
),

fitted as (
    select model_version
    from {{ ref('ml_lookers__fit') }}
    where is_champion
),

-- Guards first: what holds an address back, in the order of their weight.
guarded as (
    select
        *,
        case
            when crawler_name is not null and crawler_kind = 'user_fetcher' then 'user_fetcher'
            when crawler_name is not null then 'verified_crawler'
            when exempt_reason is not null then 'exempt'
            when address_kind <> 'public' then 'not_public'
            when order_count > 0 then 'has_bought'
            when signed_in_count > 0 then 'has_signed_in'
            when shared_address_score >= 0.5 then 'shared_address'
            when unverifiable_crawler_name is not null then 'unverifiable_crawler'
            when is_single_path and hit_count >= 30 then 'probe'
            when silent_days > {{ var('martlet_looker_expiry_days') }} then 'gone'
            when
                known_days < 14 or age_days < 7 or active_day_count < 3
                or (trial_count < 8 and network_visit_count < 40) or hit_count < 30
                then 'thin_evidence'
            when sign_count < 3 or automation_probability < 0.8 then 'too_few_signs'
            when person_order_rate is null or order_margin_amount is null then 'no_orders_known'
        end as guard
    from expectations
),

-- What each step would be worth: a wall saves all hits and loses all orders, a challenge lets
-- most people through, a limit slows machines and hardly anybody else.
priced as (
    select
        *,
        expected_cost_saved_amount - expected_margin_lost_amount as block_net_amount,
        0.9 * expected_cost_saved_amount - 0.2 * expected_margin_lost_amount
            as challenge_net_amount,
        0.6 * expected_cost_saved_amount - 0.05 * expected_margin_lost_amount
            as rate_limit_net_amount
    from guarded
),

chosen as (
    select
        *,
        case
            when guard is not null then null
            when greatest(block_net_amount, challenge_net_amount, rate_limit_net_amount) <= 0
                then null
            when
                block_net_amount >= greatest(challenge_net_amount, rate_limit_net_amount)
                and sign_count >= 4 and automation_probability >= 0.98
                and neighbour_order_count + neighbour_signed_in_count = 0
                then 'block'
            when challenge_net_amount >= rate_limit_net_amount then 'challenge'
            else 'rate_limit'
        end as wanted_action
    from priced
),

ranked as (
    select
        *,
        case when wanted_action is not null then row_number() over (
            partition by as_of_date, case when wanted_action is null then 0 else 1 end
            order by
                expected_cost_saved_amount - expected_margin_lost_amount desc,
                address_id asc
        ) end as list_position
    from chosen
),

decided as (
    select
        *,
        case
            when list_position <= {{ var('martlet_looker_max_entries') }} then wanted_action
            when
                guard in (
                    'user_fetcher', 'shared_address', 'unverifiable_crawler', 'probe',
                    'thin_evidence'
                ) and sign_count >= 2 then 'monitor'
            when guard is null or guard = 'no_orders_known' then 'monitor'
            when guard = 'too_few_signs' and (sign_count >= 2 or trial_count >= 30) then 'monitor'
            else 'allow'
        end as action
    from ranked
),

-- The reason in words: what holds it back, or which signs speak against it.
listed_signs as (
    select
        *,
        concat_ws(
            '; '
            {%- for sign, words in signs.items() %},
            case when {{ sign }} >= 0.5 then '{{ words | replace("'", "' || chr(39) || '") }}'
            {%- if sign == 'false_crawler_sign' %} || ' (' || claimed_crawler_name || ')'{% endif %} end
            {%- endfor %}
        ) as sign_words
    from decided
),

explained as (
    select
        *,
        case
            when guard = 'verified_crawler' then 'verified crawler ' || crawler_name
            when guard = 'user_fetcher'
                then crawler_name || ' fetches for people and shares its addresses'
            when guard = 'exempt' then 'exempt: ' || exempt_reason
            when guard = 'not_public' then 'a ' || address_kind || ' address, not that of one visitor'
            when guard = 'has_bought' then 'bought in the last 180 days'
            when guard = 'has_signed_in' then 'a customer signed in here'
            when guard = 'shared_address' then 'several people share it'
            when guard = 'unverifiable_crawler'
                then 'says it is ' || unverifiable_crawler_name || '; check its reverse DNS'
            when guard = 'probe' then 'asks for one page only: a probe somebody set up'
            when guard = 'gone' then 'not seen lately'
            when guard = 'thin_evidence' then 'too little seen to conclude'
            when guard = 'too_few_signs' then 'too few signs of a machine'
            when guard = 'no_orders_known' then 'too few orders are known to tell who buys'
            when wanted_action is null then 'acting on it would cost more than it saves'
            when action = 'monitor' then 'the list is full'
            else
                'no order in ' || cast(visit_count as {{ type_string() }}) || ' visits and '
                || cast(hit_count as {{ type_string() }}) || ' requests'
        end as verdict_words
    from listed_signs
),

predictions as (
    select
        explained.address_id,
        explained.as_of_date,
        explained.is_current,
        explained.network_prefix,
        explained.ip_version,
        explained.address_kind,
        explained.crawler_name,
        explained.claimed_crawler_name,
        explained.exempt_reason,
        explained.first_active_date,
        explained.last_active_date,
        explained.automation_probability,
        explained.person_order_rate,
        explained.order_rate_upper,
        explained.trial_count,
        explained.sign_count,
        explained.shared_address_score,
        explained.guard,
        explained.action,
        explained.verdict_words
        || case when explained.sign_words = '' then '' else '; ' || explained.sign_words end
            as reason,
        explained.expected_hit_count,
        explained.expected_order_count,
        explained.expected_margin_lost_amount,
        case explained.action
            when 'block' then 1.0 when 'challenge' then 0.9 when 'rate_limit' then 0.6 else 0.0
        end * explained.expected_hit_count as hits_saved_count,
        explained.expected_cost_saved_amount,
        case explained.action
            when 'block' then explained.block_net_amount
            when 'challenge' then explained.challenge_net_amount
            when 'rate_limit' then explained.rate_limit_net_amount
            else 0.0
        end as net_value_amount,
        fitted.model_version,
        {{ build_timestamp() }} as predicted_at
    from explained
    cross join fitted
)

select * from predictions
