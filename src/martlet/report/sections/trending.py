"""Products that sell more than they used to."""

from __future__ import annotations

from typing import Any

from martlet.report.drawing import NARROW, PALETTE, data, names
from martlet.report.parts import Chart, Column, Finding, Part, Section, Table, Text, missing
from martlet.report.reading import Marts
from martlet.report.words import NAME, listed, number, plural, share, short

__all__ = ["QUESTION", "TITLE", "section"]

TITLE = "Trending products"
QUESTION = "What sells better than it used to, more than chance and season explain?"
_QUERY = """
select coalesce(product_name, product_id) as name, category, is_trending, trend_status,
    recent_order_count, expected_order_count, shrunken_lift, q_value, recent_out_of_stock_days,
    count(*) over () as products, sum(cast(is_trending as integer)) over () as trending
from marts.fct_trending_products
order by is_trending desc, q_value, shrunken_lift desc, product_id
limit 10
"""
_COLUMNS: list[Column] = [
    ("Product", "text"), ("Category", "text"), ("Orders in 28 days", "count"),
    ("Expected", "number"), ("Surely times as many", "number"), ("Of such, by chance", "share"),
    ("State", "text"), ("Days sold out", "count"),
]  # fmt: skip


def section(marts: Marts) -> Section:
    """Return the section."""
    rows = marts.rows("fct_trending_products", _QUERY)
    if not rows:
        return missing(TITLE, QUESTION, rows, "fct_trending_products", "recommendations.md")
    trending = [row for row in rows if row["is_trending"]]
    findings: list[Finding] = []
    if trending:
        many = plural(rows[0]["trending"], "product sells", "products sell")
        text = (
            f"{many} surely more than before: "
            f"{listed([short(row['name'], NAME) for row in trending[:3]])}. "
            "Look to the stock."
        )
        findings = [Finding(text, min(0.3, rows[0]["trending"] / rows[0]["products"]))]
        said = text + " Bars: orders of the last 28 days; mark: what was to be expected."
    else:
        said = (
            f"None of the {plural(rows[0]['products'], 'product')} sells more than chance and the "
            "season of its category explain. Shown are those nearest to it; the mark is what was "
            "to be expected."
        )
    body = [_row(row) for row in rows]
    parts: list[Part] = [
        Text(said),
        Chart("Orders of the last 28 days", said, lambda width: _chart(rows, width)),
        Table("Trending or nearest to it", _COLUMNS, body),
    ]
    return Section(
        TITLE, QUESTION, parts, ("fct_trending_products",), "recommendations.md", findings
    )


def _row(row: dict[str, Any]) -> tuple[Any, ...]:
    return (
        row["name"], row["category"], row["recent_order_count"], row["expected_order_count"],
        row["shrunken_lift"], row["q_value"], row["trend_status"].replace("_", " "),
        row["recent_out_of_stock_days"],
    )  # fmt: skip


def _chart(rows: list[dict[str, Any]], width: int) -> Any:
    import altair as alt

    labels = names([row["name"] for row in rows], 40 if width > NARROW else 18)
    kinds = ["trending", "not surely"]
    values = [
        {
            "label": label, "orders": row["recent_order_count"],
            "expected": row["expected_order_count"],
            "kind": kinds[0] if row["is_trending"] else kinds[1],
            "tip": f"{row['name']}: {row['recent_order_count']} orders, "
            f"{number(row['expected_order_count'])} expected, q {share(row['q_value'])}",
        }
        for label, row in zip(labels, rows, strict=True)
    ]  # fmt: skip
    base = alt.Chart(data(values)).encode(y=alt.Y("label:N", title=None, sort=labels))
    bars = base.mark_bar().encode(
        x=alt.X("orders:Q", title="orders").axis(tickMinStep=1),
        color=alt.Color("kind:N", title=None).scale(domain=kinds, range=[PALETTE[2], PALETTE[7]]),
        description="tip:N",
    )
    marks = base.mark_tick(thickness=3, color="var(--ink)").encode(x="expected:Q")
    return (bars + marks).properties(height=26 * len(rows) + 60)
