"""What is bought together."""

from __future__ import annotations

from typing import Any

from martlet.report.drawing import NARROW, data, names
from martlet.report.parts import Chart, Column, Finding, Section, Table, Text, missing
from martlet.report.reading import Marts
from martlet.report.words import NAME, count, number, share, short

__all__ = ["QUESTION", "TITLE", "section"]

TITLE = "Bought together"
QUESTION = "Which products belong into one basket, so that we show them together?"
_QUERY = """
select antecedent_names, consequent_name, item_level, basket_count, confidence, lift, lift_lower,
    lift_upper, is_significant and not is_redundant as is_sure,
    cast(attached_revenue_amount as double) as attached_revenue, lift_trend_z,
    sum(cast(is_significant as integer)) over () as significant, count(*) over () as rules
from marts.fct_basket_rules
where item_level = 'product'
order by is_sure desc, lift_lower desc nulls last, rule_id
limit 60
"""
_COLUMNS: list[Column] = [
    ("Whoever buys", "text"), ("also buys", "text"), ("in baskets", "count"),
    ("in so many of theirs", "share"), ("times as often as others (lift)", "number"),
    ("at least (95 %)", "number"), ("brought with it", "money"),
]  # fmt: skip


def section(marts: Marts) -> Section:
    """Return the section."""
    rows = marts.rows("fct_basket_rules", _QUERY)
    if not rows:
        return missing(TITLE, QUESTION, rows, "fct_basket_rules", "baskets.md")
    rows = _once([row for row in rows if row["is_sure"]] or rows)
    first = rows[0]
    one, other = (short(first[key], NAME) for key in ("antecedent_names", "consequent_name"))
    said = (
        f"Whoever buys {one} also buys {other} in "
        f"{share(first['confidence'])} of the baskets, {number(first['lift'])} times as often as "
        f"others (surely at least {number(first['lift_lower'] or 0)} times). "
        f"{count(first['significant'] or 0)} of {count(first['rules'])} product rules are more "
        "than chance. Below are the surest; the line is the range the lift lies in, 1 means no "
        "relation."
    )
    table = Table("The surest rules", _COLUMNS, [_row(row) for row in rows])
    parts = (
        Text(said),
        Chart("Lift of the surest rules, with its 95 % range", said, lambda w: _chart(rows, w)),
        table,
    )
    text = (
        f"Show {other} beside {one}: bought together "
        f"{number(first['lift'])} times as often as by chance."
    )
    stake = (first["attached_revenue"] or 0) / marts.yearly_revenue
    findings = [Finding(text, min(1.0, stake))] if first["significant"] else []
    return Section(TITLE, QUESTION, parts, ("fct_basket_rules",), "baskets.md", findings)


def _once(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first rule of each set of products: the others say the same of it."""
    first: dict[frozenset[str], dict[str, Any]] = {}
    for row in rows:
        items = frozenset([*row["antecedent_names"].split(", "), row["consequent_name"]])
        first.setdefault(items, row)
    return list(first.values())[:12]


def _row(row: dict[str, Any]) -> tuple[Any, ...]:
    return (
        row["antecedent_names"], row["consequent_name"], row["basket_count"], row["confidence"],
        row["lift"], row["lift_lower"], row["attached_revenue"],
    )  # fmt: skip


def _chart(rows: list[dict[str, Any]], width: int) -> Any:
    import altair as alt

    wide = width > NARROW
    labels = names(
        [f"{row['antecedent_names']} → {row['consequent_name']}" for row in rows],
        50 if wide else 20,
    )
    values = [
        {
            "label": label, "lift": row["lift"], "low": row["lift_lower"] or row["lift"],
            "high": row["lift_upper"] or row["lift"],
            "tip": f"{row['antecedent_names']} → {row['consequent_name']}: lift "
            f"{number(row['lift'])}, {row['basket_count']} baskets",
        }
        for label, row in zip(labels, rows, strict=True)
    ]  # fmt: skip
    base = alt.Chart(data(values)).encode(y=alt.Y("label:N", title=None, sort=labels))
    ranges = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title="lift").scale(type="log", nice=False).axis(tickCount=5, format="~r"),
        x2="high:Q",
    )
    points = base.mark_circle(size=90, opacity=1).encode(x="lift:Q", description="tip:N")
    return (ranges + points).properties(height=26 * len(rows) + 50)
