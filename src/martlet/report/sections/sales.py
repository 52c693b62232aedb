"""Revenue by month, and how it compares with the year before."""

from __future__ import annotations

from datetime import date
from typing import Any

from martlet.report.drawing import NARROW, PALETTE, data
from martlet.report.parts import Chart, Column, Details, Finding, Section, Table, Text, missing
from martlet.report.reading import Marts
from martlet.report.words import count, month, plural, share

__all__ = ["QUESTION", "TITLE", "section"]

TITLE = "Sales"
QUESTION = "How much do we sell, after returns, and is it more than a year ago?"
_QUERY = """
with months as (
    select cast(date_trunc('month', order_date) as date) as month, count(*) as orders,
        cast(sum(net_revenue_amount) as double) as revenue,
        cast(sum(returned_amount) as double) as returned,
        cast(sum(gross_revenue_amount) as double) as gross
    from marts.fct_orders
    where is_revenue_order
    group by 1
),
-- The first month is whole only when it began with the data.
span as (
    select min(order_date) as first_date from marts.fct_orders where is_revenue_order
)
select m.*, m.revenue / nullif(m.orders, 0) as average_order,
    m.month + interval 1 month <= ? and (m.month > span.first_date or day(span.first_date) <= 3)
        as is_whole,
    before.revenue as revenue_before, before.orders as orders_before,
    before.month is not null
        and (before.month > span.first_date or day(span.first_date) <= 3) as has_before
from months as m
cross join span
left join months as before on before.month = m.month - interval 1 year
order by m.month
"""
_COLUMNS: list[Column] = [
    ("Month", "text"), ("Revenue after returns", "money"), ("Returned", "money"),
    ("Orders", "count"), ("Average order", "money"), ("A year before", "money"),
    ("Change", "change"),
]  # fmt: skip


def section(marts: Marts) -> Section:
    """Return the section."""
    rows = marts.rows("fct_orders", _QUERY, [marts.as_of_date])
    if not rows:
        return missing(TITLE, QUESTION, rows, "fct_orders", "customers.md")
    shown = rows[-25:]
    said, findings = _words(rows, marts)
    parts = (
        Text(said),
        Chart(
            "Revenue after returns by month"
            + (
                " (line: the same month a year before)"
                if any(r["has_before"] for r in shown)
                else ""
            ),
            said,
            lambda width: _revenue(shown, marts, width),
        ),
        Chart(
            "Average order by month",
            f"Average order between {marts.money(min(r['average_order'] for r in shown))} and "
            f"{marts.money(max(r['average_order'] for r in shown))} in the months shown.",
            lambda width: _average(shown, marts, width),
        ),
        Details("The months as a table", [Table("Months", _COLUMNS, [_row(r) for r in shown])]),
    )
    return Section(TITLE, QUESTION, parts, ("fct_orders",), "customers.md", findings)


def _change(now: float, before: float | None) -> float | None:
    return now / before - 1 if before and before > 0 else None


def _row(row: dict[str, Any]) -> tuple[Any, ...]:
    before = row["revenue_before"] if row["has_before"] else None
    whole = month(row["month"]) + ("" if row["is_whole"] else " (not whole)")
    change = _change(row["revenue"], before) if row["is_whole"] else None
    return (
        whole, row["revenue"], row["returned"], row["orders"], row["average_order"], before, change,
    )  # fmt: skip


def _words(rows: list[dict[str, Any]], marts: Marts) -> tuple[str, list[Finding]]:
    whole = [row for row in rows if row["is_whole"]]
    if not whole:
        total = sum(row["revenue"] for row in rows)
        return f"No month is whole yet: {marts.money(total)} in the days so far.", []
    last = whole[-1]
    said = (
        f"{month(last['month'])} brought {marts.money(last['revenue'])} after returns in "
        f"{plural(last['orders'], 'order')}, {marts.money(last['average_order'])} each."
    )
    findings = []
    change = _change(last["revenue"], last["revenue_before"]) if last["has_before"] else None
    if change is not None:
        way = "more" if change >= 0 else "less"
        said += f" That is {share(abs(change))} {way} than in {month(_year_before(last['month']))}."
    pairs = [row for row in whole[-12:] if row["has_before"]]
    if pairs:
        now, before = (sum(row[key] for row in pairs) for key in ("revenue", "revenue_before"))
        yearly = _change(now, before)
        if yearly is not None:
            way = "more" if yearly >= 0 else "less"
            months = "month" if len(pairs) == 1 else f"{len(pairs)} months"
            text = (
                f"Revenue after returns in the last {months}: {marts.money(now)}, "
                f"{share(abs(yearly))} {way} than in the same {months} a year before."
            )
            findings = [Finding(text, min(1.0, abs(yearly)))]
            said += " " + text
    gross, returned = (sum(row[key] for row in whole[-12:]) for key in ("gross", "returned"))
    if gross > 0:
        said += f" Of the goods sold {share(returned / gross)} came back."
    return said, findings


def _year_before(value: date) -> date:
    return value.replace(year=value.year - 1)


def _revenue(rows: list[dict[str, Any]], marts: Marts, width: int) -> Any:
    import altair as alt

    shown = rows if width > NARROW else rows[-13:]
    values = [
        {
            "month": row["month"], "revenue": row["revenue"],
            "before": row["revenue_before"] if row["has_before"] else None,
            "kind": "whole month" if row["is_whole"] else "not whole yet",
            "tip": f"{month(row['month'])}: {marts.money(row['revenue'])}, "
            f"{count(row['orders'])} orders",
        }
        for row in shown
    ]  # fmt: skip
    all_whole = all(row["is_whole"] for row in shown)
    legend = None if all_whole else alt.Legend(symbolFillColor=PALETTE[0])
    base = alt.Chart(data(values)).encode(
        x=alt.X("month:O", title=None, timeUnit="yearmonth").axis(format="%b %y", labelAngle=-45)
    )
    bars = base.mark_bar().encode(
        y=alt.Y("revenue:Q", title=f"revenue ({marts.unit})").axis(format="~s"),
        opacity=alt.Opacity("kind:N", title=None)
        .scale(domain=["whole month", "not whole yet"], range=[0.7, 0.35])
        .legend(legend),
        description="tip:N",
    )
    ticks = (
        base.transform_filter("datum.before != null")
        .mark_tick(thickness=3, color="var(--ink)")
        .encode(y="before:Q")
    )
    return (bars + ticks).properties(height=280)


def _average(rows: list[dict[str, Any]], marts: Marts, width: int) -> Any:
    import altair as alt

    shown = rows if width > NARROW else rows[-13:]
    values = [{"month": row["month"], "average": row["average_order"]} for row in shown]
    return (
        alt.Chart(data(values))
        .mark_line(point=True)
        .encode(
            x=alt.X("month:O", title=None, timeUnit="yearmonth").axis(
                format="%b %y", labelAngle=-45
            ),
            y=alt.Y("average:Q", title=f"average order ({marts.unit})").scale(zero=False),
        )
        .properties(height=170)
    )
