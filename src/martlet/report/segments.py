"""Segments of customers as bubbles: how recent, how frequent, how much."""

from __future__ import annotations

import duckdb

from martlet.report.parts import Chart, Section, Table, Text, missing, read

__all__ = ["section"]

_TITLE = "Customer segments"
_QUESTION = "Who are our customers, and which of them bring the money?"
_QUERY = """
select as_of_date, segment_name, customer_count, customer_share, mean_recency_days,
    mean_frequency, mean_monetary_amount, revenue_amount::double as revenue_amount, revenue_share,
    mean_return_rate, commonest_rfm_segment
from marts.fct_segment_profiles
where is_current
order by revenue_amount desc
"""


def section(con: duckdb.DuckDBPyConnection) -> Section:
    """Return the section."""
    rows = read(con, "marts.fct_segment_profiles", _QUERY)
    if not rows:
        return missing(_TITLE, _QUESTION, rows, "marts.fct_segment_profiles")
    import altair as alt

    data = alt.Data(
        values=[{name: row[name] for name in row if name != "as_of_date"} for row in rows]
    )
    recency = alt.X(
        "mean_recency_days:Q", title="mean days since the last order (recent on the right)"
    ).scale(reverse=True, zero=True, nice=True)
    base = alt.Chart(data).encode(
        x=recency,
        y=alt.Y("mean_frequency:Q", title="mean orders so far").scale(zero=True, nice=True),
    )
    bubbles = base.mark_circle(opacity=0.65, stroke="white").encode(
        size=alt.Size("revenue_amount:Q", title="revenue so far").scale(range=[80, 3500]),
        color=alt.Color(
            "segment_name:N", title="segment", sort=[row["segment_name"] for row in rows]
        ).legend(labelLimit=400, symbolType="circle"),
    )
    shares = base.mark_text(fontSize=11).encode(text=alt.Text("revenue_share:Q", format=".0%"))
    chart = (bubbles + shares).properties(width=520, height=360)
    table = Table(
        (
            "Segment", "Customers", "Share", "Days since order", "Orders", "Revenue each",
            "Revenue", "Revenue share", "Returned", "Mostly (RFM)",
        ),
        [
            (
                row["segment_name"], row["customer_count"], f"{row['customer_share']:.1%}",
                row["mean_recency_days"], row["mean_frequency"], row["mean_monetary_amount"],
                row["revenue_amount"], f"{row['revenue_share'] or 0:.1%}",
                None if row["mean_return_rate"] is None else f"{row['mean_return_rate']:.1%}",
                row["commonest_rfm_segment"],
            )
            for row in rows
        ],
    )  # fmt: skip
    first = rows[0]
    said = (
        f"As of {first['as_of_date']}. “{first['segment_name']}” are {first['customer_share']:.0%} "
        f"of the customers and brought {first['revenue_share'] or 0:.0%} of the revenue so far. "
        "A bubble is a segment, its size and the figure in it the revenue; amounts are in the "
        "shop's currency."
    )
    return Section(
        _TITLE,
        _QUESTION,
        (Text(said), Chart(chart, "Bubble chart of the segments: recency by frequency"), table),
    )
