{# Stores `order_risk(input)` in the schema of `relation`: rows that look like new orders in, the same rows with
   probability, decision and reasons out. Any DuckDB client calls it, also one that only reads. It counts what the
   tables know of the orders' keys, as the feature table does, and applies the champion. #}
{% macro create_order_risk_function(relation) -%}
    {%- set keys = ref('int_order_keys__linked') -%}
    {%- set fitted = ref('ml_order_risk__fit') -%}
    create or replace macro {{ relation.include(identifier=False) }}.order_risk(input) as table (
        with __martlet_asked as (
            select
                *,
                case when device_id is not null then concat(customer_id, '|', device_id) end
                    as __martlet_customer_device
            from query_table(input)
        ),
        {%- for kind, column in order_risk_keys().items() %}
        __martlet_{{ kind }} as (
            select
                a.order_id,
                {%- for name, microseconds in order_risk_windows().items() %}
                count(*) filter (
                    where epoch_us(h.ordered_at) >= epoch_us(a.ordered_at) - {{ microseconds }}
                ) as {{ kind }}_order_count_{{ name }},
                {%- endfor %}
                count(*) as {{ kind }}_order_count,
                count(distinct h.person_id) as {{ kind }}_person_count,
                count(*) filter (where h.charged_back_at < a.ordered_at) as {{ kind }}_chargeback_count,
                avg(cast(h.total_amount as double)) as {{ kind }}_mean_amount,
                stddev_samp(cast(h.total_amount as double)) as {{ kind }}_deviation_amount,
                max(epoch_us(h.ordered_at)) as {{ kind }}_last_moment
            from __martlet_asked as a
            inner join {{ keys.include(database=False) }} as h
                on h.key_kind = '{{ kind }}'
                and h.key_value = a.{{ '__martlet_customer_device' if kind == 'customer_device' else column }}
                and h.ordered_at < a.ordered_at
            group by a.order_id
        ),
        {%- endfor %}
        __martlet_history as (
            select a.order_id as __martlet_order_id,
                {%- for kind in order_risk_keys() %}
                __martlet_{{ kind }}.* exclude (order_id){{ ',' if not loop.last }}
                {%- endfor %}
            from __martlet_asked as a
            {%- for kind in order_risk_keys() %}
            left join __martlet_{{ kind }} on a.order_id = __martlet_{{ kind }}.order_id
            {%- endfor %}
        ),
        __martlet_features as (
            select
                a.order_id,
                {{ order_risk_features('a', 'h') }}
            from __martlet_asked as a
            inner join __martlet_history as h on a.order_id = h.__martlet_order_id
        ),
        __martlet_explained as (
            select * from {{ ml_explain_predict(fitted.schema ~ '.' ~ fitted.identifier, '__martlet_features', top_k_features=100) }}
        ),
        __martlet_judged as (
            select
                *,
                1 / (1 + exp(-prediction_value)) as fraud_probability,
                {{ order_risk_costs('(1 / (1 + exp(-prediction_value)))', 'total_amount') }}
            from __martlet_explained
        )
        select
            order_id,
            fraud_probability,
            approve_cost_amount as expected_loss_amount,
            {{ order_risk_decision() }} as decision,
            {{ order_risk_reasons('top_feature_attributions') }} as reasons
        from __martlet_judged
    )
{%- endmacro %}
