"""Orders that may be charged back: what waits for a decision."""

from __future__ import annotations

from typing import Any

from martlet.report.drawing import PALETTE, data
from martlet.report.parts import Chart, Column, Finding, Part, Section, Table, Text, missing
from martlet.report.reading import Marts
from martlet.report.words import count, plural, share

__all__ = ["QUESTION", "TITLE", "section"]

TITLE = "Order risk"
QUESTION = "Which orders may be charged back, and should be looked at before they are sent?"
#: Younger orders may still be stopped or watched.
RECENT_DAYS = 14
_TOTALS = """
select decision, count(*) as orders, count(*) filter (is_charged_back) as charged_back,
    count(*) filter (label_available_at <= ?) as known,
    count(*) filter (is_charged_back and label_available_at <= ?) as known_bad,
    count(*) filter (order_date >= cast(? as date) - ?) as recent,
    cast(sum(expected_loss_amount) filter (order_date >= cast(? as date) - ?) as double)
        as recent_loss
from marts.fct_order_risk
group by decision
"""
_QUEUE = """
select order_id, order_date, total_amount, fraud_probability,
    cast(expected_loss_amount as double) as loss, decision,
    concat_ws('; ', reason_1, reason_2) as reasons
from marts.fct_order_risk
where decision in ('review', 'deny') and order_date >= cast(? as date) - ?
    and not coalesce(is_charged_back, false)
order by expected_loss_amount desc, order_id
limit 10
"""
_COLUMNS: list[Column] = [
    ("Order", "text"), ("Date", "date"), ("Amount", "money"), ("Chance of a charge-back", "share"),
    ("Expected loss", "money"), ("Proposed", "text"), ("Why", "text"),
]  # fmt: skip


def section(marts: Marts) -> Section:
    """Return the section."""
    day = marts.as_of_date
    rows = marts.rows("fct_order_risk", _TOTALS, [day, day, day, RECENT_DAYS, day, RECENT_DAYS])
    if not rows:
        return missing(TITLE, QUESTION, rows, "fct_order_risk", "order-risk.md")
    queue = marts.rows("fct_order_risk", _QUEUE, [day, RECENT_DAYS]) or []
    said, findings = _words(rows, marts)
    parts: list[Part] = [
        Text(said),
        Chart("Share of past orders charged back, by decision", said, lambda width: _chart(rows)),
    ]
    if queue:
        body = [
            (
                row["order_id"], row["order_date"], row["total_amount"], row["fraud_probability"],
                row["loss"], row["decision"], row["reasons"],
            )
            for row in queue
        ]  # fmt: skip
        parts.append(Table(f"To look at: orders of the last {RECENT_DAYS} days", _COLUMNS, body))
    else:
        parts.append(Text(f"No order of the last {RECENT_DAYS} days waits for a decision."))
    return Section(TITLE, QUESTION, parts, ("fct_order_risk",), "order-risk.md", findings)


def _words(rows: list[dict[str, Any]], marts: Marts) -> tuple[str, list[Finding]]:
    waiting = [row for row in rows if row["decision"] in ("review", "deny")]
    recent = sum(row["recent"] for row in waiting)
    loss = sum(row["recent_loss"] or 0 for row in waiting)
    text = (
        f"{plural(recent, 'order')} of the last {RECENT_DAYS} days should be looked at or refused: "
        f"{marts.money(loss)} is expected to be lost on them."
    )
    said = (
        text
        + " "
        + " ".join(
            f"Of past orders marked “{row['decision']}” {share(row['known_bad'] / row['known'])} "
            f"were charged back ({row['known_bad']} of {count(row['known'])})."
            for row in sorted(rows, key=lambda row: row["decision"])
            if row["known"]
        )
    )
    said += " Figures of orders the model learned from flatter it; the docs give the honest ones."
    # A fortnight's loss as a share of a fortnight's revenue.
    stake = loss / (marts.yearly_revenue * RECENT_DAYS / 365)
    return said, [Finding(text, min(1.0, stake))] if recent else []


def _chart(rows: list[dict[str, Any]]) -> Any:
    import altair as alt

    order = ["approve", "review", "deny"]
    values = [
        {
            "decision": row["decision"],
            "rate": row["known_bad"] / row["known"] if row["known"] else 0.0,
            "label": f"{share(row['known_bad'] / row['known'])} of {count(row['known'])}"
            if row["known"] else "not known yet",
            "tip": f"{row['decision']}: {row['known_bad']} of {row['known']} charged back",
        }
        for row in rows
    ]  # fmt: skip
    most = max(value["rate"] for value in values) or 1.0
    base = alt.Chart(data(values)).encode(
        y=alt.Y("decision:N", title=None, sort=order),
        x=alt.X("rate:Q", title="charged back")
        .axis(format="%", tickCount=4)
        .scale(domain=[0, most * 1.4]),
    )
    bars = base.mark_bar(color=PALETTE[4]).encode(description="tip:N")
    figures = base.mark_text(align="left", dx=4).encode(text="label:N")
    return (bars + figures).properties(height=36 * len(values) + 50)
