"""Which channel led to the orders, by each way of sharing the credit."""

from __future__ import annotations

from typing import Any

from martlet.report.drawing import NARROW, PALETTE, data
from martlet.report.parts import Chart, Column, Part, Section, Table, Text, missing
from martlet.report.reading import Marts
from martlet.report.words import count, share

__all__ = ["QUESTION", "TITLE", "section"]

TITLE = "Which channel led to the order"
QUESTION = "Which channels earn their keep, whichever way the credit is shared?"
_QUERY = """
select attribution_model, channel_group, credited_order_count as orders,
    cast(attributed_revenue_amount as double) as revenue
from marts.fct_channel_attribution
order by attribution_model, channel_group
"""
_UNSEEN = "untracked"


def section(marts: Marts) -> Section:
    """Return the section."""
    rows = marts.rows("fct_channel_attribution", _QUERY)
    page = "carts-and-attribution.md"
    if not rows:
        return missing(TITLE, QUESTION, rows, "fct_channel_attribution", page)
    for row in rows:
        row["channel"] = row["channel_group"].replace("_", " ")
        row["model"] = row["attribution_model"].replace("_", " ")
    seen = [row for row in rows if row["channel_group"] != _UNSEEN]
    models = sorted({row["model"] for row in rows})
    totals = {name: sum(row["orders"] for row in rows if row["model"] == name) for name in models}
    unseen = sum(row["orders"] for row in rows if row["channel_group"] == _UNSEEN) / max(
        1e-9, sum(totals.values())
    )
    if not seen:
        said = "No order can be led back to a visit: the clickstream and the orders do not meet."
        return Section(TITLE, QUESTION, (Text(said),), ("fct_channel_attribution",), page)
    said = _words(seen, models, unseen)
    parts: list[Part] = [
        Text(said),
        Chart("Orders credited to each channel, by eight models"
              if len(models) == 8 else "Orders credited to each channel, by model",
              said, lambda width: _chart(seen, width)),
        _table(seen, models),
    ]  # fmt: skip
    return Section(TITLE, QUESTION, parts, ("fct_channel_attribution",), page)


def _channels(rows: list[dict[str, Any]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for row in rows:
        found.setdefault(row["channel"], []).append(row["orders"])
    return dict(sorted(found.items(), key=lambda pair: -sum(pair[1])))


def _words(seen: list[dict[str, Any]], models: list[str], unseen: float) -> str:
    channels = _channels(seen)
    best = next(iter(channels))
    low, high = min(channels[best]), max(channels[best])
    said = (
        f"Most orders are credited to “{best}”: between {count(low)} and {count(high)}, depending "
        f"on which of the {len(models)} models shares the credit."
    )
    widest = max(channels, key=lambda name: max(channels[name]) - min(channels[name]))
    if widest != best:
        said += f" The models differ most about “{widest}”."
    if unseen > 0.005:
        said += f" {share(unseen)} of the orders have no visit before them and are left out here."
    return said + " A point is a model; where the points lie close, the answer does not hang on it."


def _table(rows: list[dict[str, Any]], models: list[str]) -> Table:
    columns: list[Column] = [("Channel", "text"), *((name, "number") for name in models)]
    found = {(row["channel"], row["model"]): row["orders"] for row in rows}
    body = [
        (name, *(found.get((name, model), 0.0) for model in models)) for name in _channels(rows)
    ]
    return Table("Orders credited", columns, body)


def _chart(rows: list[dict[str, Any]], width: int) -> Any:
    import altair as alt

    order = list(_channels(rows))
    values = [
        row | {"tip": f"{row['channel']}, {row['model']}: {row['orders']:.1f} orders"}
        for row in rows
    ]
    base = alt.Chart(data(values)).encode(y=alt.Y("channel:N", title=None, sort=order))
    ranges = base.mark_rule(strokeWidth=2, color="var(--line)").encode(
        x=alt.X("min(orders):Q", title="orders credited"), x2="max(orders):Q"
    )
    points = base.mark_circle(size=70, opacity=0.9).encode(
        x="orders:Q",
        color=alt.Color("model:N", title=None)
        .scale(range=PALETTE)
        .legend(columns=4 if width > NARROW else 2),
        description="tip:N",
    )
    return (ranges + points).properties(height=34 * len(order) + 110)
