with

keys as (
    select * from {{ ref('int_order_keys__linked') }}
    where key_value is not null
),

orders as (
    select * from {{ ref('shop_orders') }}
),

enriched_orders as (
    select * from {{ ref('int_orders__enriched') }}
),

customers as (
    select * from {{ ref('shop_customers') }}
),

paired as (
    select
        *,
        case when row_number() over (
            partition by key_kind, key_value, person_id order by ordered_at, order_id
        ) = 1 then 1 else 0 end as opens_person
    from keys
),

-- Two kinds of moments on one line: an order, and a charge-back becoming known.
moments as (
    select
        key_kind,
        key_value,
        order_id,
        {{ epoch_microseconds('ordered_at') }} as moment,
        1 as is_order,
        opens_person,
        cast(total_amount as double) as amount,
        0 as is_chargeback
    from paired
    union all
    select
        key_kind,
        key_value,
        cast(null as string) as order_id,
        {{ epoch_microseconds('charged_back_at') }} as moment,
        0 as is_order,
        0 as opens_person,
        cast(null as double) as amount,
        1 as is_chargeback
    from paired
    where charged_back_at is not null
),

-- Every window ends a microsecond before the order: neither it nor its twins are counted.
measured as (
    select
        order_id,
        key_kind,
        is_order,
        {%- for name, microseconds in order_risk_windows().items() %}
        sum(is_order) over (
            partition by key_kind, key_value order by moment
            range between {{ microseconds }} preceding and 1 preceding
        ) as order_count_{{ name }},
        {%- endfor %}
        sum(is_order) over before_it as order_count,
        sum(opens_person) over before_it as person_count,
        sum(is_chargeback) over before_it as chargeback_count,
        avg(amount) over before_it as mean_amount,
        stddev_samp(amount) over before_it as deviation_amount,
        max(case when is_order = 1 then moment end) over before_it as last_moment
    from moments
    window before_it as (
        partition by key_kind, key_value order by moment
        range between unbounded preceding and 1 preceding
    )
),

by_order as (
    select
        order_id,
        {{ order_risk_pivot() }}
    from measured
    where is_order = 1
    group by order_id
),

asked as (
    select
        orders.order_id,
        orders.customer_id,
        orders.ordered_at,
        enriched_orders.order_date,
        orders.total_amount,
        orders.items_amount,
        orders.discount_amount,
        orders.billing_country_code,
        orders.shipping_country_code,
        customers.registered_at,
        orders.device_id
    from orders
    inner join enriched_orders on orders.order_id = enriched_orders.order_id
    left join customers on orders.customer_id = customers.customer_id
    where not enriched_orders.is_test
),

features as (
    select
        asked.order_id,
        asked.order_date as as_of_date,
        {{ order_risk_features('asked', 'by_order') }}
    from asked
    left join by_order on asked.order_id = by_order.order_id
)

select * from features
