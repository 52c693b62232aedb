"""Segments of customers as bubbles: how recent, how frequent, how much."""

from __future__ import annotations

from typing import Any

from martlet.report.drawing import NARROW, data
from martlet.report.parts import Chart, Column, Finding, Part, Section, Table, Text, missing
from martlet.report.reading import Marts
from martlet.report.sections.segment_scan import scan_details
from martlet.report.words import NAME, count, share, short

__all__ = ["QUESTION", "TITLE", "section"]

TITLE = "Customer segments"
QUESTION = "Who are our customers, and which of them bring the money?"
_QUERY = """
select segment_name, customer_count, customer_share, mean_recency_days, mean_frequency,
    mean_monetary_amount, cast(revenue_amount as double) as revenue_amount, revenue_share,
    mean_return_rate, commonest_rfm_segment
from marts.fct_segment_profiles
where is_current
order by revenue_amount desc, segment_id
"""
_COLUMNS: list[Column] = [
    ("Segment", "text"), ("Customers", "count"), ("Share", "share"), ("Days since order", "count"),
    ("Orders each", "number"), ("Revenue each", "money"), ("Revenue", "money"),
    ("Revenue share", "share"), ("Came back", "share"), ("Mostly (RFM)", "text"),
]  # fmt: skip


def section(marts: Marts) -> Section:
    """Return the section."""
    rows = marts.rows("fct_segment_profiles", _QUERY)
    if not rows:
        return missing(TITLE, QUESTION, rows, "fct_segment_profiles", "segments.md")
    first = rows[0]
    who = (
        f"The segment “{short(first['segment_name'], NAME)}” is {share(first['customer_share'])} "
        f"of the customers and brought {share(first['revenue_share'] or 0)} of the revenue so far"
    )
    said = (
        f"{who}. A bubble is a segment: further right, it ordered lately; further up, it orders "
        "often; a bigger bubble, and the share in it, is more revenue."
    )
    table = Table("Segments", _COLUMNS, [_row(row) for row in rows])
    parts: list[Part] = [
        Text(said),
        Chart("Segments by recency, frequency and revenue", said, lambda w: _chart(rows, w)),
        table,
        *scan_details(marts),
    ]
    # What a few hold of the money is at stake with them.
    stake = max(0.0, (first["revenue_share"] or 0) - first["customer_share"])
    findings = [Finding(f"{who}: keep these customers happy.", stake)] if stake > 0.1 else []
    reads = ("fct_segment_profiles", "fct_segment_scan")
    return Section(TITLE, QUESTION, parts, reads, "segments.md", findings)


def _row(row: dict[str, Any]) -> tuple[Any, ...]:
    return (
        row["segment_name"], row["customer_count"], row["customer_share"],
        row["mean_recency_days"], row["mean_frequency"], row["mean_monetary_amount"],
        row["revenue_amount"], row["revenue_share"], row["mean_return_rate"],
        row["commonest_rfm_segment"],
    )  # fmt: skip


def _chart(rows: list[dict[str, Any]], width: int) -> Any:
    import altair as alt

    wide = width > NARROW
    values = [
        {
            "segment": row["segment_name"], "recency": row["mean_recency_days"],
            "frequency": row["mean_frequency"], "revenue": max(0.0, row["revenue_amount"]),
            # A small bubble on a small screen has no room for a figure; the table has it.
            "label": share(row["revenue_share"] or 0)
            if wide or (row["revenue_share"] or 0) >= 0.1 else "",
            "tip": f"{row['segment_name']}: {count(row['customer_count'])} customers, "
            f"{share(row['revenue_share'] or 0)} of the revenue",
        }
        for row in rows
    ]  # fmt: skip
    # Room around the outermost bubbles, whose centres lie on the ends of the scales.
    recency = [value["recency"] for value in values]
    spread = max(max(recency) - min(recency), 10.0)
    base = alt.Chart(data(values)).encode(
        x=alt.X("recency:Q", title="mean days since the last order")
        .scale(domain=[max(recency) + spread * 0.15, min(recency) - spread * 0.15], nice=False)
        .axis(values=_ticks(max(recency))),
        y=alt.Y("frequency:Q", title="mean orders so far").scale(
            domain=[0, max(value["frequency"] for value in values) * 1.25]
        ),
    )
    color = alt.Color("segment:N", title=None, sort=[row["segment_name"] for row in rows])
    bubbles = base.mark_circle(opacity=0.45, strokeWidth=1.5).encode(
        size=alt.Size("revenue:Q", legend=None).scale(
            domainMin=0, range=[20, 5000 if wide else 2200]
        ),
        color=color.legend(columns=2 if wide else 1, labelLimit=330 if wide else 240),
        description="tip:N",
    )
    figures = base.mark_text(fontSize=12).encode(text="label:N")
    return (bubbles + figures).properties(height=400)


def _ticks(longest: float) -> list[int]:
    step = next(s for s in (10, 30, 60, 90, 180, 365, 730, 10**9) if longest / s <= 8)
    return list(range(0, int(longest) + step, step))
