with

histories as (
    select * from {{ ref('ml_lifetime_value__training_set') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates__spine') }}
),

orders as (
    select * from {{ ref('int_orders__enriched') }}
),

horizons as (
    {% for days in [30, 90, 180, 365] %}
        select {{ days }} as horizon_days
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

-- Only windows that are over: what is not known yet is not an outcome.
closed_windows as (
    select
        as_of_dates.as_of_date,
        horizons.horizon_days,
        {{ date_add_days('as_of_dates.as_of_date', '-horizons.horizon_days') }} as opens_on,
        {{ date_add_days('as_of_dates.as_of_date', 'horizons.horizon_days') }} as closes_on
    from as_of_dates
    cross join horizons
    inner join as_of_dates as current_dates
        on current_dates.is_current
        and {{ date_add_days('as_of_dates.as_of_date', 'horizons.horizon_days') }}
        <= current_dates.as_of_date
    where not as_of_dates.is_current
),

customers_asked as (
    select
        histories.customer_id,
        histories.as_of_date,
        closed_windows.horizon_days,
        closed_windows.opens_on,
        closed_windows.closes_on
    from histories
    inner join closed_windows on histories.as_of_date = closed_windows.as_of_date
),

-- Before the date an order counts as it was known then, after it as it is known now.
orders_around as (
    select
        customers_asked.customer_id,
        customers_asked.as_of_date,
        customers_asked.horizon_days,
        orders.order_date,
        cast(orders.goods_amount as double) as goods_amount,
        orders.order_date >= customers_asked.as_of_date as is_after
    from customers_asked
    inner join orders
        on customers_asked.customer_id = orders.customer_id
        and orders.order_date >= customers_asked.opens_on
        and orders.order_date < customers_asked.closes_on
    where
        not orders.is_test
        and (
            orders.cancelled_date is null
            or (
                orders.order_date < customers_asked.as_of_date
                and orders.cancelled_date >= customers_asked.as_of_date
            )
        )
),

totals as (
    select
        customer_id,
        as_of_date,
        horizon_days,
        count(distinct case when is_after then order_date end) as order_count,
        sum(case when is_after then goods_amount else 0 end) as spend_amount,
        count(distinct case when not is_after then order_date end) as previous_order_count,
        sum(case when not is_after then goods_amount else 0 end) as previous_spend_amount
    from orders_around
    group by customer_id, as_of_date, horizon_days
),

outcomes as (
    select
        customers_asked.customer_id,
        customers_asked.as_of_date,
        customers_asked.horizon_days,
        coalesce(totals.order_count, 0) as order_count,
        coalesce(totals.spend_amount, 0) as spend_amount,
        coalesce(totals.previous_order_count, 0) as previous_order_count,
        coalesce(totals.previous_spend_amount, 0) as previous_spend_amount
    from customers_asked
    left join totals
        on customers_asked.customer_id = totals.customer_id
        and customers_asked.as_of_date = totals.as_of_date
        and customers_asked.horizon_days = totals.horizon_days
)

select * from outcomes
