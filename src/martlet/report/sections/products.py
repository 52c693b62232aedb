"""What sells, what comes back, and what was sold out."""

from __future__ import annotations

from typing import Any

from martlet.report.drawing import NARROW, PALETTE, data, names
from martlet.report.parts import Chart, Column, Details, Finding, Section, Table, Text, missing
from martlet.report.reading import Marts
from martlet.report.words import NAME, listed, plural, share, short

__all__ = ["QUESTION", "TITLE", "section"]

TITLE = "Products"
QUESTION = "Which products bring the money, and which of them cannot be had?"
_QUERY = """
select product_name, product_id, category, cast(net_revenue_amount as double) as revenue,
    cast(sum(net_revenue_amount) over () as double) as all_revenue, sold_quantity, return_rate,
    is_active, on_hand_quantity, out_of_stock_days,
    out_of_stock_days / nullif(stock_known_days, 0) as out_of_stock_share
from marts.dim_products
where net_revenue_amount > 0
order by net_revenue_amount desc, product_id
limit 15
"""
_COLUMNS: list[Column] = [
    ("Product", "text"), ("Category", "text"), ("Revenue after returns", "money"),
    ("Sold", "count"), ("Came back", "share"), ("In stock", "count"),
    ("Sold out, share of days", "share"),
]  # fmt: skip


def section(marts: Marts) -> Section:
    """Return the section."""
    rows = marts.rows("dim_products", _QUERY)
    if not rows:
        return missing(TITLE, QUESTION, rows, "dim_products", "data-contract.md")
    for row in rows:
        row["name"] = row["product_name"] or row["product_id"]
    top = rows[0]
    together = sum(row["revenue"] for row in rows) / top["all_revenue"]
    said = (
        f"“{short(top['name'], NAME)}” brought most: {marts.money(top['revenue'])} after "
        f"returns so far, {share(top['revenue'] / top['all_revenue'])} of everything. The "
        f"{len(rows)} products shown bring {share(together)}."
    )
    gone = [row for row in rows if row["on_hand_quantity"] == 0 and row["is_active"] is not False]
    findings = []
    if gone:
        stake = sum(row["revenue"] for row in gone) / top["all_revenue"]
        text = (
            f"{plural(len(gone), 'best seller is', 'best sellers are')} sold out: "
            f"{listed([short(row['name'], NAME) for row in gone[:3]])}. "
            f"Together they brought {share(stake)} of the revenue so far."
        )
        findings.append(Finding(text, stake))
        said += " " + text
    table = Table("Best sellers", _COLUMNS, [_row(row) for row in rows])
    parts = (
        Text(said),
        Chart("Revenue after returns of the best sellers", said, lambda w: _chart(rows, marts, w)),
        Details("The products as a table", [table]),
    )
    return Section(TITLE, QUESTION, parts, ("dim_products",), "data-contract.md", findings)


def _row(row: dict[str, Any]) -> tuple[Any, ...]:
    return (
        row["name"], row["category"], row["revenue"], row["sold_quantity"], row["return_rate"],
        row["on_hand_quantity"], row["out_of_stock_share"],
    )  # fmt: skip


def _chart(rows: list[dict[str, Any]], marts: Marts, width: int) -> Any:
    import altair as alt

    shown = rows if width > NARROW else rows[:10]
    labels = names([row["name"] for row in shown], 40 if width > NARROW else 18)
    values = [
        {
            "label": label, "revenue": row["revenue"],
            "stock": "sold out" if row["on_hand_quantity"] == 0 else "in stock or not counted",
            "tip": f"{row['name']}: {marts.money(row['revenue'])}",
        }
        for label, row in zip(labels, shown, strict=True)
    ]  # fmt: skip
    kinds = ["in stock or not counted", "sold out"]
    return (
        alt.Chart(data(values))
        .mark_bar()
        .encode(
            y=alt.Y("label:N", title=None, sort=labels),
            x=alt.X("revenue:Q", title=f"revenue so far ({marts.unit})").axis(
                format="~s", tickCount=4
            ),
            color=alt.Color("stock:N", title=None).scale(
                domain=kinds, range=[PALETTE[0], PALETTE[4]]
            ),
            description="tip:N",
        )
        .properties(height=24 * len(shown) + 60)
    )
