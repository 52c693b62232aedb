{# Stores `order_risk(input)` in the schema of `relation`: rows that look like new orders in, their probability,
   decision and reasons out. Any DuckDB client calls it, also one that only reads.

   DuckDB binds and optimizes a stored function at every call, and for one order that is most of the cost: some 20
   microseconds a term, whatever the rows. So this says with few terms what order_risk_features() and the transforms
   of the fit say column by column: features are lists in the order of order_risk_words(), one lambda serves all of
   them, constants are of the type they are used with, and the weights are the constants that the champion's own
   stored function gives. A test holds both to the same numbers. #}
{% macro create_order_risk_function(relation) -%}
    {{ return(adapter.dispatch('create_order_risk_function', 'martlet')(relation)) }}
{%- endmacro %}

{% macro default__create_order_risk_function(relation) -%}
{%- endmacro %}

{% macro duckdb__create_order_risk_function(relation) -%}
    {%- set names = tojson(order_risk_words().keys() | list) -%}
    {%- set words = order_risk_words().values() | join('|') -%}
    {%- set fit = ref('ml_order_risk__fit').include(database=False) -%}
    create or replace macro {{ relation.include(identifier=False) }}.order_risk(input) as table (
        with __martlet_asked as (
            select
                order_id,
                cast(ordered_at as timestamp) as ordered_at,
                epoch_us(cast(ordered_at as timestamp)) as moment,
                cast(registered_at as timestamp) as registered_at,
                cast(total_amount as double) as total_amount,
                cast(items_amount as double) as items_amount,
                cast(discount_amount as double) as discount_amount,
                billing_country_code,
                shipping_country_code,
                cast(device_id as varchar) as device,
                cast(ip_address_hash as varchar) as address,
                cast(card_fingerprint as varchar) as card,
                cast(email_hash as varchar) as email,
                cast(customer_id as varchar) as customer
            from query_table(input)
        ),
        {#- What the order itself tells: amount, minutes since the sign-up, discount; then what is true or false:
            no sign-up before it, delivered abroad, at night, with a device. #}
        __martlet_keys as (
            select
                order_id,
                moment,
                [
                    total_amount,
                    (moment - epoch_us(registered_at)) / 6e7,
                    case when items_amount <> 0e0 then discount_amount / items_amount end
                ] || cast([
                    coalesce(registered_at > ordered_at, true),
                    coalesce(billing_country_code <> shipping_country_code, false),
                    hour({{ local_timestamp('ordered_at') }}) < 6,
                    device is not null
                ] as double[]) as own,
                unnest(range(1, {{ order_risk_keys() | length + 1 }})) as kind_number,
                unnest([device, address, card, email, customer, customer || '|' || device]) as key_value
            from __martlet_asked
        ),
        __martlet_pairs as (
            select
                a.order_id,
                a.kind_number,
                a.own,
                a.moment - h.moment as age,
                h.chargeback_moment < a.moment as is_disputed,
                h.person_number,
                h.total_amount
            from __martlet_keys as a
            left join {{ ref('int_order_keys__hashed').include(database=False) }} as h
                on h.key_number = {{ order_risk_key_number('a.kind_number', 'a.key_value') }}
                and h.moment < a.moment
        ),
        __martlet_found as (
            select
                order_id,
                kind_number,
                any_value(own) as own,
                [
                    {%- for microseconds in order_risk_windows().values() %}
                    count_if(age <= {{ microseconds }}),
                    {%- endfor %}
                    count(age),
                    count_if(is_disputed),
                    len(list_distinct(list(person_number)))
                ] as counts,
                [avg(total_amount), stddev_samp(total_amount), min(age)] as habit
            from __martlet_pairs
            group by order_id, kind_number
        ),
        {#- Six counts a kind of key: the customer's begin at 25 (people, the last, are not asked for), those of
            customer and device at 31. #}
        __martlet_known as (
            select
                order_id,
                any_value(own) as own,
                flatten(list(counts order by kind_number)) as counts,
                any_value(habit) filter (kind_number = 5) as habit
            from __martlet_found
            group by order_id
        ),
        {#- What speaks for the order: its risk with the sign turned round, so that the first is the worst. #}
        __martlet_weighed as (
            select
                order_id,
                own[1] as total_amount,
                intercept,
                list_transform(
                    list_transform(
                        counts[1:29] || [own[1], own[2], coalesce(habit[3] / 36e8, 1e4)],
                        lambda x: ln(1e0 + greatest(x, 0e0))
                    ) || [
                        coalesce(own[3], 0e0),
                        own[4],
                        own[5],
                        own[6],
                        cast(own[7] > 0e0 and counts[28] > 0 and counts[34] = 0 as double),
                        case
                            when habit[2] > 0e0
                                then least(greatest((own[1] - habit[1]) / habit[2], -5e0), 5e0)
                            else 0e0
                        end
                    ],
                    lambda x, i: centres[i] - x * slopes[i]
                ) as credits,
                columns = '{{ names }}' as is_same_model
            from __martlet_known
            cross join {{ fit.include(identifier=false) }}.{{ adapter.quote(fit.identifier ~ '_coefficients') }}()
        ),
        __martlet_scored as (
            select
                order_id,
                total_amount,
                credits,
                case
                    when is_same_model then 1e0 / (1e0 + exp(list_sum(credits) - intercept))
                    else error('The champion of ml_order_risk__fit has other features than order_risk.')
                end as fraud_probability
            from __martlet_weighed
        ),
        __martlet_judged as (
            select
                order_id,
                fraud_probability,
                credits,
                {{ order_risk_costs('fraud_probability', 'total_amount') }}
            from __martlet_scored
        )
        select
            order_id,
            fraud_probability,
            approve_cost_amount as expected_loss_amount,
            {{ order_risk_decision() }} as decision,
            {#- list_grade_up is not stable: equal ones must go by their place, as in the batch. #}
            list_transform(
                list_sort(list_zip(credits, range(1, {{ order_risk_words() | length + 1 }})))[
                    1:least(3, len(list_filter(credits, lambda x: x < 0e0)))
                ],
                lambda t: string_split('{{ words }}', '|')[t[2]]
            ) as reasons
        from __martlet_judged
    )
{%- endmacro %}
