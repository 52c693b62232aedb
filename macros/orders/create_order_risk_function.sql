{# Stores `order_risk(input)` in the schema of `relation`: rows that look like new orders in, their probability,
   decision and reasons out. Any DuckDB client calls it, also one that only reads.

   One order must not take longer to plan than to compute: so the features are one list, in the order of
   order_risk_words(), and weights come as lists from the champion's row. Features and transforms are those of
   order_risk_features() and of the fit, written once more; a test holds both to the same numbers. #}
{% macro create_order_risk_function(relation) -%}
    {%- set names = order_risk_words().keys() | join('|') -%}
    {%- set words = order_risk_words().values() | join('|') -%}
    create or replace macro {{ relation.include(identifier=False) }}.order_risk(input) as table (
        with __martlet_asked as (
            select
                order_id,
                cast(ordered_at as timestamp) as ordered_at,
                cast(registered_at as timestamp) as registered_at,
                cast(total_amount as double) as total_amount,
                cast(discount_amount as double) / nullif(cast(items_amount as double), 0) as discount_share,
                coalesce(billing_country_code <> shipping_country_code, false) as is_delivered_abroad,
                cast(ip_address_hash as varchar) as address,
                cast(card_fingerprint as varchar) as card,
                cast(customer_id as varchar) as customer,
                cast(device_id as varchar) as device,
                cast(email_hash as varchar) as email
            from query_table(input)
        ),
        __martlet_keys as (
            select
                order_id,
                ordered_at,
                total_amount,
                device is not null as has_device,
                [
                    ln(1 + greatest(total_amount, 0)),
                    coalesce(discount_share, 0),
                    ln(1 + greatest(coalesce(
                        {{ seconds_between('registered_at', 'ordered_at') }} / 60, 0
                    ), 0)),
                    cast(coalesce(registered_at > ordered_at, true) as integer),
                    cast(is_delivered_abroad as integer),
                    cast(extract(hour from {{ local_timestamp('ordered_at') }}) < 6 as integer)
                ] as own_values,
                unnest(range(1, 7)) as key_number,
                unnest(['device', 'address', 'card', 'email', 'customer', 'customer_device']) as key_kind,
                unnest([device, address, card, email, customer, customer || '|' || device]) as key_value
            from __martlet_asked
        ),
        __martlet_found as (
            select
                a.order_id,
                a.key_number,
                any_value(a.ordered_at) as ordered_at,
                any_value(a.total_amount) as total_amount,
                any_value(a.has_device) as has_device,
                any_value(a.own_values) as own_values,
                [
                    {%- for microseconds in order_risk_windows().values() %}
                    count(*) filter (where h.ordered_at >= a.ordered_at - to_microseconds({{ microseconds }})),
                    {%- endfor %}
                    count(h.ordered_at),
                    count(*) filter (where h.charged_back_at < a.ordered_at),
                    len(list_distinct(list(h.person_number)))
                ] as counts,
                avg(h.total_amount) as mean_amount,
                stddev_samp(h.total_amount) as deviation_amount,
                max(h.ordered_at) as last_ordered_at
            from __martlet_keys as a
            left join {{ ref('int_order_keys__hashed').include(database=False) }} as h
                on h.key_number = {{ order_risk_key_number('a.key_kind', 'a.key_value') }}
                and h.ordered_at < a.ordered_at
            group by a.order_id, a.key_number
        ),
        {#- Six counts a kind of key: the customer's begin at 25 (people, the last, are not asked for), those of
            customer and device at 31. #}
        __martlet_known as (
            select
                order_id,
                any_value(ordered_at) as ordered_at,
                any_value(total_amount) as total_amount,
                any_value(has_device) as has_device,
                any_value(own_values) as own_values,
                flatten(list(counts order by key_number)) as counts,
                max(mean_amount) filter (where key_number = 5) as mean_amount,
                max(deviation_amount) filter (where key_number = 5) as deviation_amount,
                max(last_ordered_at) filter (where key_number = 5) as last_ordered_at
            from __martlet_found
            group by order_id
        ),
        __martlet_champion as (
            select from_json(parameters, '{
                "intercept": ["DOUBLE"], "weights": [["DOUBLE"]], "columns": [["VARCHAR"]],
                "means": ["DOUBLE"], "deviations": ["DOUBLE"]
            }') as p
            from {{ ref('ml_order_risk__fit').include(database=False) }}
            where is_champion and parameters <> '{}'
        ),
        __martlet_values as (
            select
                order_id,
                total_amount,
                p,
                flatten([
                    list_transform(counts[1:29], lambda x: ln(1 + x)),
                    own_values,
                    [
                        cast(has_device and counts[28] > 0 and counts[34] = 0 as integer),
                        least(greatest(coalesce(
                            (total_amount - mean_amount) / nullif(deviation_amount, 0), 0
                        ), -5), 5),
                        ln(1 + greatest(coalesce(
                            {{ seconds_between('last_ordered_at', 'ordered_at') }} / 3600, 10000
                        ), 0))
                    ]
                ]) as inputs
            from __martlet_known
            cross join __martlet_champion
        ),
        __martlet_attributed as (
            select
                order_id,
                total_amount,
                p.intercept[1] as baseline,
                case
                    when list_transform(p.columns, lambda c: c[1]) = string_split('{{ names }}', '|')
                        then list_transform(
                            list_zip(inputs, p.means, p.deviations, p.weights[1]),
                            lambda t: (t[1] - t[2]) / t[3] * t[4]
                        )
                    else error('The champion of ml_order_risk__fit has other features than order_risk.')
                end as attributions
            from __martlet_values
        ),
        __martlet_scored as (
            select
                *,
                1 / (1 + exp(-(baseline + list_sum(attributions)))) as fraud_probability
            from __martlet_attributed
        ),
        __martlet_judged as (
            select *, {{ order_risk_costs('fraud_probability', 'total_amount') }}
            from __martlet_scored
        )
        select
            order_id,
            fraud_probability,
            approve_cost_amount as expected_loss_amount,
            {{ order_risk_decision() }} as decision,
            list_transform(
                list_sort(list_filter(
                    list_zip(
                        list_transform(attributions, lambda x: -x),
                        range({{ order_risk_words() | length }}),
                        string_split('{{ words }}', '|')
                    ),
                    lambda t: t[1] < 0
                ))[1:3],
                lambda t: t[3]
            ) as reasons
        from __martlet_judged
    )
{%- endmacro %}
