"""What to offer to whom, and why."""

from __future__ import annotations

from typing import Any

from martlet.report.drawing import NARROW, PALETTE, data
from martlet.report.parts import Chart, Column, Finding, Part, Section, Table, Text, missing
from martlet.report.reading import Marts
from martlet.report.words import NAME, count, plural, share, short

__all__ = ["QUESTION", "TITLE", "section"]

TITLE = "Recommendations"
QUESTION = "What should we offer to whom, why, and is that better than the best sellers?"
_QUERY = """
with counted as (
    select count(distinct customer_id) as customers from marts.fct_recommendations
),
-- The best customers first: one reads a few and knows them.
ranked as (
    select r.customer_id, r.recommendation_rank, r.product_name, r.product_id,
        r.recommendation_kind, r.reason_sentence,
        dense_rank() over (order by c.net_revenue_amount desc nulls last, r.customer_id) as place
    from marts.fct_recommendations as r
    left join marts.dim_customers as c on c.customer_id = r.customer_id
    where r.recommendation_rank <= 3
)
select ranked.*, counted.customers
from ranked cross join counted
where place <= 5
order by place, recommendation_rank
"""
_JUDGED = """
select recommender, is_shipped, judged_customer_count, hit_rate_at_10, ndcg_at_10
from marts.fct_recommender_evaluation
-- All products, on the purchases that nothing was chosen by.
where recommendation_task = 'recommendations' and target = 'all' and split = 'judged'
order by ndcg_at_10 desc, recommender
"""
_COLUMNS: list[Column] = [
    ("Customer", "text"), ("First", "text"), ("Second", "text"), ("Third", "text"),
]  # fmt: skip


def section(marts: Marts) -> Section:
    """Return the section."""
    needed = "fct_recommendations"
    rows = marts.rows(needed, _QUERY)
    if not rows:
        return missing(TITLE, QUESTION, rows, needed, "recommendations.md")
    said = (
        f"There are recommendations for {plural(rows[0]['customers'], 'customer')}. Below are the "
        "first three for each of the best customers: “repeat” is something they buy again, "
        "“discovery” something new to them."
    )
    lists: dict[str, list[str]] = {}
    for row in rows:
        name = short(row["product_name"] or row["product_id"], NAME)
        what = f"{name} ({row['recommendation_kind']})"
        why = f": {row['reason_sentence']}" if row["reason_sentence"] else ""
        lists.setdefault(row["customer_id"], []).append(what + why)
    body = [(customer, *(texts + [None] * 3)[:3]) for customer, texts in lists.items()]
    parts: list[Part] = [Text(said), Table("For the best customers", _COLUMNS, body)]
    judged, findings = _judged(marts)
    reads = (needed, "fct_recommender_evaluation")
    return Section(TITLE, QUESTION, parts + judged, reads, "recommendations.md", findings)


def _judged(marts: Marts) -> tuple[list[Part], list[Finding]]:
    rows = marts.rows("fct_recommender_evaluation", _JUDGED)
    if not rows:
        return [], []
    shipped = next((row for row in rows if row["is_shipped"]), rows[0])
    popular = next((row for row in rows if row["recommender"] == "popularity"), None)
    said = (
        f"Judged on what {plural(shipped['judged_customer_count'], 'customer')} bought later: ten "
        f"recommendations of the one in use ({_name(shipped)}) held a later purchase for "
        f"{share(shipped['hit_rate_at_10'])} of them"
    )
    if popular is not None and popular is not shipped:
        said += f", the ten best sellers for {share(popular['hit_rate_at_10'])}"
    said += ". The bar (NDCG at 10) also counts how far up the purchase stood."
    findings = []
    if popular is not None and shipped["ndcg_at_10"] <= popular["ndcg_at_10"] * 1.01:
        text = "The recommendations are no better than the best sellers for everyone."
        said += f" {text} The shop's orders tell too little of single tastes so far."
        findings = [Finding(text, 0.1)]
    title = "How well each way to recommend did"
    return [Chart(title, said, lambda width: _chart(rows, width)), Text(said)], findings


def _name(row: dict[str, Any]) -> str:
    return str(row["recommender"]).replace("_", " ")


def _chart(rows: list[dict[str, Any]], width: int) -> Any:
    import altair as alt

    kinds = ["in use", "compared"]
    values = [
        {
            "name": _name(row), "ndcg": row["ndcg_at_10"],
            "kind": kinds[0] if row["is_shipped"] else kinds[1],
            "tip": f"{_name(row)}: NDCG {row['ndcg_at_10']:.3f}, "
            f"{count(row['judged_customer_count'])} customers",
        }
        for row in rows
    ]  # fmt: skip
    return (
        alt.Chart(data(values))
        .mark_bar()
        .encode(
            y=alt.Y("name:N", title=None, sort=None),
            x=alt.X("ndcg:Q", title="NDCG at 10 (more is better)").axis(tickCount=4),
            color=alt.Color("kind:N", title=None).scale(
                domain=kinds, range=[PALETTE[0], PALETTE[7]]
            ),
            description="tip:N",
        )
        .properties(height=(26 if width > NARROW else 28) * len(rows) + 70)
    )
