with

signs as (
    select * from {{ ref('ftr_ip_addresses__signs') }}
),

activity as (
    select * from {{ ref('ftr_ip_addresses__activity') }}
),

orders as (
    select * from {{ ref('ftr_ip_addresses__orders') }}
),

neighbourhood as (
    select * from {{ ref('ftr_ip_addresses__neighbourhood') }}
),

traffic as (
    select * from {{ ref('int_traffic__measured_by_as_of_date') }}
),

training_set as (
    select
        signs.address_id,
        signs.as_of_date,
        signs.is_current,
        {%- for sign in looker_signs() %}
            signs.{{ sign }},
        {%- endfor %}
        signs.returning_visitors_sign,
        signs.person_steps_sign,
        signs.sign_count,
        activity.visit_count,
        -- One endless visit is many chances to buy: ten times the hits of a usual visit count as
        -- another.
        greatest(
            activity.visit_count,
            cast(floor(
                activity.hit_count
                / cast(10 * greatest(coalesce(traffic.hits_per_visit, 5), 2) as double)
            ) as bigint)
        ) as trial_count,
        orders.order_in_window_count,
        -- Who is known to be a machine or a person without a look at the behaviour.
        case
            when activity.declared_automation_share >= 0.5 then 'machine'
            when orders.order_count > 0 or activity.signed_in_count > 0 then 'person'
        end as known_as,
        neighbourhood.address_kind = 'public' and neighbourhood.crawler_name is null
            as is_ordinary_address
    from signs
    inner join activity
        on signs.address_id = activity.address_id and signs.as_of_date = activity.as_of_date
    inner join orders
        on signs.address_id = orders.address_id and signs.as_of_date = orders.as_of_date
    inner join neighbourhood
        on signs.address_id = neighbourhood.address_id
        and signs.as_of_date = neighbourhood.as_of_date
    inner join traffic on signs.as_of_date = traffic.as_of_date
)

select * from training_set
