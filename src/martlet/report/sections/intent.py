"""What can be known of a visit while it lasts, and when to step in."""

from __future__ import annotations

from typing import Any

from martlet.report.drawing import PALETTE, data
from martlet.report.parts import Chart, Column, Finding, Part, Section, Table, Text, missing
from martlet.report.reading import Marts
from martlet.report.words import count, plural, share

__all__ = ["QUESTION", "TITLE", "section"]

TITLE = "Purchase intent"
QUESTION = "Can we tell during a visit who will buy, and when is it worth stepping in?"
_MOMENTS = """
select moment_number, count(*) as visits, avg(buy_probability) as buy,
    avg(leave_probability) as leave, count(has_bought) as known,
    avg(cast(has_bought as integer)) as bought,
    avg(cast(decision = 'intervene' as integer)) as step_in
from marts.fct_intent_snapshots
where moment_kind = 'event'
group by moment_number
order by moment_number
"""
_TOTALS = """
select count(distinct session_id) as visits, min(as_of_date) as first_date,
    count(distinct case when is_moment_to_intervene and not is_holdout then session_id end)
        as chosen,
    cast(sum(case when is_moment_to_intervene and not is_holdout then value_now_amount end)
        as double) as worth
from marts.fct_intent_snapshots
"""
_COLUMNS: list[Column] = [
    ("After so many events", "count"), ("Visits that came so far", "count"),
    ("Expected to buy", "share"), ("Bought", "share"), ("Expected to leave next", "share"),
    ("Worth stepping in", "share"),
]  # fmt: skip


def section(marts: Marts) -> Section:
    """Return the section."""
    rows = marts.rows("fct_intent_snapshots", _MOMENTS)
    if not rows:
        return missing(TITLE, QUESTION, rows, "fct_intent_snapshots", "intent.md")
    totals = (marts.rows("fct_intent_snapshots", _TOTALS) or [])[0]
    said, findings = _words(rows, totals, marts)
    body = [
        (
            row["moment_number"], row["visits"], row["buy"], row["bought"], row["leave"],
            row["step_in"],
        )
        for row in rows
    ]  # fmt: skip
    parts: list[Part] = [
        Text(said),
        Chart("Who still buys, by events so far", said, lambda width: _chart(rows)),
        Table("Moments of a visit", _COLUMNS, body),
        Text(
            "The lines lie on each other where probabilities come true; most of these visits are "
            "ones the model learned from, so they flatter it. What stepping in changes is an "
            "assumption (martlet_intervention_odds_ratio) until a trial measures it "
            "(martlet_intervention_experiments)."
        ),
    ]
    return Section(TITLE, QUESTION, parts, ("fct_intent_snapshots",), "intent.md", findings)


def _words(
    rows: list[dict[str, Any]], totals: dict[str, Any], marts: Marts
) -> tuple[str, list[Finding]]:
    first, last = rows[0], rows[-1]
    said = (
        f"Of the visits that came to {plural(first['moment_number'], 'event')}, "
        f"{share(first['buy'])} are expected to end in a purchase"
    )
    if last is not first:
        said += f"; of those that came to {last['moment_number']}, {share(last['buy'])}"
    said += "."
    if not totals["chosen"]:
        return f"{said} In no visit so far was stepping in worth its cost.", []
    text = (
        f"In {plural(totals['chosen'], 'visit')} of {count(totals['visits'])} there was a moment "
        f"worth stepping in, for {marts.money(totals['worth'] or 0)} of margin in all."
    )
    days = max(1, (marts.as_of_date - totals["first_date"]).days)
    stake = (totals["worth"] or 0) / (marts.yearly_revenue * min(1.0, days / 365))
    return f"{said} {text}", [Finding(text, min(1.0, stake))]


def _chart(rows: list[dict[str, Any]]) -> Any:
    import altair as alt

    kinds = ["expected to buy", "bought"]
    values = [
        {
            "events": row["moment_number"], "kind": kind, "share": row[key],
            "tip": f"after {row['moment_number']} events {share(row[key])} {kind}",
        }
        for row in rows
        for kind, key in zip(kinds, ("buy", "bought"), strict=True)
        if row[key] is not None
    ]  # fmt: skip
    base = alt.Chart(data(values)).encode(
        x=alt.X("events:O", title="events so far").axis(labelAngle=0),
        y=alt.Y("share:Q", title="share of the visits that buy").axis(format="~%"),
        color=alt.Color("kind:N", title=None).scale(domain=kinds, range=PALETTE[:2]),
    )
    points = base.mark_circle(size=60, opacity=1).encode(description="tip:N")
    return (base.mark_line() + points).properties(height=260)
