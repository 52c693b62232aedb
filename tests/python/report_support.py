"""Marts as their contracts say, and a small hostile shop in them, for the tests of the report."""

from __future__ import annotations

from pathlib import Path

import duckdb
import yaml

from support import PROJECT

__all__ = ["HOSTILE", "create_marts", "fill_marts"]

#: Markup, quotes, an emoji, NUL, a mark that turns text round, addresses, and a megabyte.
HOSTILE = (
    "<script>alert('1')</script> & \"quoted\" \N{PARTY POPPER}\0\u202e ann@example.com 203.0.113.7 "
    "2001:db8::17 ]]> </svg> {{ 1 }} " + "x" * 1_000_000
)

_TYPES = {"string": "varchar", "string[]": "varchar[]"}


def create_marts(path: Path) -> None:
    """Make every mart with its columns and no rows."""
    with duckdb.connect(str(path)) as con:
        con.execute("create schema marts")
        for file in sorted((PROJECT / "models" / "marts").glob("*/*.yml")):
            for model in yaml.safe_load(file.read_text(encoding="utf-8")).get("models", []):
                columns = ", ".join(
                    f'"{column["name"]}" {_TYPES.get(column["data_type"], column["data_type"])}'
                    for column in model["columns"]
                )
                con.execute(f"create table marts.{model['name']} ({columns})")


def fill_marts(path: Path) -> None:
    """Fill the marts that the report reads; names and reasons are hostile."""
    with duckdb.connect(str(path)) as con:
        con.execute("set variable hostile = ?", [HOSTILE])
        for table, query in _ROWS.items():
            con.execute(f"insert into marts.{table} by name {query}")


_BAD = "getvariable('hostile')"
_DAY = "date '2026-07-02'"

# 26 months of orders; every customer orders in the first month and some again.
_ROWS = {
    "fct_orders": """
        select 'O' || n as order_id, 'C' || (n % 60) as customer_id, true as is_revenue_order,
            cast(date '2024-05-01' + (n * 13 % 792)::int as date) as order_date,
            case when n % 5 = 0 then 'USD' else 'GBP' end as currency_code,
            case when n % 5 = 0 then 0.8 else 1 end as exchange_rate,
            50 + n % 7 as net_revenue_amount, 55 + n % 7 as gross_revenue_amount,
            5 as returned_amount
        from range(600) as r(n)
    """,
    "fct_customer_rfm": f"select 'C1' as customer_id, {_DAY} as as_of_date, true as is_current",
    "dim_customers": """
        select 'C' || n as customer_id, n as net_revenue_amount from range(60) as r(n)
    """,
    "dim_products": f"""
        select 'P' || n as product_id, case when n % 2 = 0 then {_BAD} else 'Mug ' || n end
            as product_name, {_BAD} as category, 100 - n as net_revenue_amount, n as sold_quantity,
            0.1 as return_rate, n % 3 as on_hand_quantity, 3.5 as out_of_stock_days,
            30 as stock_known_days, true as is_active
        from range(20) as r(n)
    """,
    "fct_segment_profiles": f"""
        select true as is_current, {_DAY} as as_of_date, n as segment_id,
            case when n = 1 then {_BAD} else 'lapsed' end as segment_name, 10 * n as customer_count,
            n / 3.0 as customer_share, 20.0 * n as mean_recency_days, 3.0 / n as mean_frequency,
            99.5 as mean_monetary_amount, 1000 / n as revenue_amount,
            0.9 / n as revenue_share, {_BAD} as commonest_rfm_segment
        from range(1, 3) as r(n)
    """,
    "fct_segment_scan": """
        select n as candidate_number, case when n < 5 then 'kmeans' else 'hdbscan' end as method,
            'log' as transform, n + 1 as cluster_count, 0.4 - n / 50.0 as silhouette,
            0.9 + n / 50.0 as davies_bouldin_index, case when n < 3 then 0.9 end as stability_mean,
            0.1 as smallest_share, n = 2 as is_chosen, 'leaves <b>half</b>' as verdict,
            true as is_champion
        from range(1, 6) as r(n)
    """,
    "fct_customer_churn": f"""
        select case when n = 0 then 'ann@example.com' else 'C' || n end as customer_id,
            90 as horizon_days, n / 60.0 as churn_probability,
            ['very low', 'low', 'medium', 'high', 'very high'][1 + n // 12] as risk_band,
            n as days_since_last_order, {_BAD} as reason_1, 'rarely' as reason_2,
            100 as yearly_margin_amount,
            case when n = 0 then 900 else n end as value_at_risk_amount,
            2 as expected_offer_profit_amount, timestamp '2026-07-02 03:04:05' as predicted_at,
            case when n % 2 = 0 then 'send an offer' else 'leave alone' end as suggested_action,
            false as is_in_holdout
        from range(60) as r(n)
    """,
    "fct_churn_calibration": """
        select date '2026-03-01' as as_of_date, n as bin, 50 as customer_count,
            n / 10.0 + 0.05 as mean_predicted_probability, n / 10.0 as observed_churn_rate,
            greatest(0, n / 10.0 - 0.1) as observed_churn_rate_lower,
            least(1, n / 10.0 + case when n = 3 then 0.01 else 0.1 end)
                as observed_churn_rate_upper
        from range(10) as r(n)
    """,
    "fct_customer_lifetime_value": """
        select 'C' || n as customer_id, true as is_current, 10 * n as net_revenue_amount,
            n as expected_spend_365_days_amount, 0.5 as alive_probability
        from range(60) as r(n)
    """,
    "fct_basket_rules": f"""
        select 'r' || n as rule_id, 'product' as item_level,
            case when n = 0 then {_BAD} else 'Mug ' || n end as antecedent_names,
            'Lid ' || (n // 2) as consequent_name, 20 as basket_count, 0.4 as confidence,
            9.0 - n as lift, 8.0 - n as lift_lower, 10.0 - n as lift_upper, true as is_significant,
            false as is_redundant, 12 as attached_revenue_amount
        from range(4) as r(n)
    """,
    "fct_recommendations": f"""
        select 'C' || (n // 3) as customer_id, 1 + n % 3 as recommendation_rank,
            {_BAD} as product_name, 'P1' as product_id,
            'repeat' as recommendation_kind, {_BAD} as reason_sentence
        from range(30) as r(n)
    """,
    "fct_recommender_evaluation": """
        select recommendation_task, target, split, recommender, is_shipped,
            judged_customer_count, hit_rate * odds as hit_rate_at_10, ndcg * odds as ndcg_at_10
        from (values ('hybrid', true, 90, 0.5, 0.3), ('popularity', false, 90, 0.4, 0.2))
            as t(recommender, is_shipped, judged_customer_count, hit_rate, ndcg)
        cross join (values
            ('next_basket', 'all', 'judged', 0.9), ('recommendations', 'all', 'judged', 1.0),
            ('recommendations', 'repeat', 'judged', 2.0), ('recommendations', 'all', 'choice', 1.1)
        ) as u(recommendation_task, target, split, odds)
    """,
    "fct_buy_again": f"""
        select 'C' || n as customer_id, 'P' || n as product_id, {_DAY} as as_of_date,
            case when n = 0 then {_BAD} end as product_name, 3 as purchase_day_count,
            date '2026-05-01' as last_purchase_date, 40.0 as interval_days,
            {_DAY} + (7 * n - 7)::int as due_date,
            case when n = 11 then 'lapsed' when n = 0 then 'due' else 'later' end
                as purchase_status
        from range(12) as r(n)
    """,
    "fct_customer_product_propensity": f"""
        select 'C' || (n // 2) as customer_id, 'P' || n as product_id, {_DAY} as as_of_date,
            {_DAY} + 30 as purchase_until_date, {_BAD} as product_name,
            (1 + n) / 100.0 as purchase_probability, 'followed' as candidate_source,
            {_BAD} as reason_1
        from range(30) as r(n)
    """,
    "fct_next_baskets": """
        select 'C' || (n // 2) as customer_id, 1 + n % 2 as basket_rank,
            0.2 + 0.1 * (n % 2) as basket_probability,
            case when n % 2 = 0 then 'repeat' else 'discovery' end as basket_part
        from range(8) as r(n)
    """,
    "fct_trending_products": f"""
        select 'P' || n as product_id, case when n = 0 then {_BAD} else 'Cup' end as product_name,
            {_BAD} as category, n < 2 as is_trending, 'rising_newcomer' as trend_status,
            20 - n as recent_order_count, 8.5 as expected_order_count, 2.1 as shrunken_lift,
            n / 20.0 as q_value, 0 as recent_out_of_stock_days
        from range(4) as r(n)
    """,
    "fct_sessions": f"""
        select case when n % 2 = 0 then {_BAD} else 'paid_search' end as channel_group,
            date '2026-06-01' as session_date, 1 + n % 5 as funnel_step, n = 9 as is_bot,
            false as is_quarantined, n as revenue_amount
        from range(50) as r(n)
    """,
    "fct_intent_snapshots": """
        select 'S' || (n // 2) as session_id, 'event' as moment_kind, 1 + n % 2 as moment_number,
            date '2026-06-02' as as_of_date, 0.1 + 0.2 * (n % 2) as buy_probability,
            0.5 as leave_probability, n % 8 = 1 as has_bought, 4 as value_now_amount,
            case when n % 4 = 1 then 'intervene' else 'wait' end as decision,
            n % 4 = 1 as is_moment_to_intervene, n = 1 as is_holdout
        from range(40) as r(n)
    """,
    "fct_carts": """
        select case when n % 2 = 0 then 'abandoned_7d' else 'bought' end as cart_state,
            3 + n % 2 as funnel_step, 10 as value_amount, timestamp '2026-06-01' as opened_at,
            n = 2 as is_reminder_eligible, false as is_bot
        from range(20) as r(n)
    """,
    "fct_channel_attribution": f"""
        select m as attribution_model, c as channel_group, length(m) * 10.0 as credited_order_count,
            5 as attributed_revenue_amount
        from (values ('markov'), ('last_touch')) as a(m)
        cross join (values ({_BAD}), ('email'), ('untracked')) as b(c)
    """,
    "fct_looker_candidates": f"""
        select 'abcdef0123456789' || n as address_id, 'block' as action, 50 as visit_count,
            400 as hit_count, 0.99 as automation_probability, 200.0 as hits_saved_count,
            0.01 as expected_margin_lost_amount, 1 as net_value_amount, {_BAD} as reason,
            '198.51.100.0/24' as network_prefix
        from range(3) as r(n)
    """,
    "dim_ip_addresses": "select 3000 as hit_count",
    "fct_order_risk": f"""
        select 'O' || n as order_id, date '2026-06-30' as order_date, 80 as total_amount,
            0.9 as fraud_probability, 70 as expected_loss_amount,
            ['approve', 'review', 'deny'][1 + n % 3] as decision, {_BAD} as reason_1,
            n % 3 = 2 as is_charged_back, timestamp '2026-07-01' as label_available_at
        from range(9) as r(n)
    """,
    "fct_data_quality": f"""
        select 'q' || n as data_quality_id, 'rejected_rows_by_reason' as check_name,
            'orders' as entity, {_BAD} as rejection_reason, 100 as checked_count,
            n as affected_count, n / 100.0 as affected_share, 'error' as severity, {_BAD} as meaning
        from range(1, 3) as r(n)
    """,
    "dim_ml_models": f"""
        select 'ml_' || title || '__fit' as model_name, title, status, {_DAY} as as_of_date,
            3 as champion_version, timestamp '2026-06-01' as trained_at, 1234 as training_row_count,
            'log_loss' as metric, 0.4 as metric_value, 0.5 as baseline_value,
            true as is_better_than_baseline, reason as insufficient_data_reason
        from (values ('churn', 'trained', null), ('risk', 'insufficient_data', {_BAD}))
            as t(title, status, reason)
    """,
    "fct_ml_monitoring": """
        select 'ml_churn__fit' as model_name, 'performance' as check_kind, 'log_loss' as subject,
            date '2025-01-01' + 31 * n::int as as_of_date, 0.4 as check_value,
            case when n > 0 then 0.5 end as baseline_value,
            case n when 0 then 'alarm' when 2 then 'watch' else 'ok' end as status
        from range(3) as r(n)
    """,
    "fct_ml_retrain_triggers": """
        select 'ml_churn__fit' as model_name, 'too_old' as rule, true as is_triggered,
            'fitted 400 days ago' as evidence, 'fit <again>' as action
    """,
}
