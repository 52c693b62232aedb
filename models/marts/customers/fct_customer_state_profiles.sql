with

states as (
    select * from {{ ml_part(ref('ml_customer_states__fit'), 'states') }}
),

transitions as (
    select * from {{ ml_part(ref('ml_customer_states__fit'), 'transitions') }}
),

customers as (
    select * from {{ ref('fct_customer_states') }}
    where is_current
),

current_customers as (
    select
        state_id,
        count(*) as customer_count,
        avg(next_purchase_probability) as mean_next_purchase_probability
    from customers
    group by state_id
),

ranked_ways as (
    select
        from_state_id,
        to_state_id,
        row_number() over (
            partition by from_state_id order by transition_probability desc, to_state_id
        ) as place
    from transitions
    where from_state_id <> to_state_id
),

profiles as (
    select
        states.model_version,
        states.state_id,
        states.state_name,
        states.rate as purchase_days_per_month,
        states.start_probability,
        states.mean_stay_periods as mean_stay_months,
        coalesce(current_customers.customer_count, 0) as customer_count,
        cast(coalesce(current_customers.customer_count, 0) as double)
        / nullif(sum(current_customers.customer_count) over (), 0) as customer_share,
        current_customers.mean_next_purchase_probability,
        ranked_ways.to_state_id as leaves_to_state_id,
        1 - stays.transition_probability as leave_probability
    from states
    left join current_customers on states.state_id = current_customers.state_id
    left join ranked_ways
        on states.state_id = ranked_ways.from_state_id and ranked_ways.place = 1
    left join transitions as stays
        on states.state_id = stays.from_state_id and states.state_id = stays.to_state_id
)

select * from profiles
