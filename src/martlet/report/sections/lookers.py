"""Addresses that load the servers and never buy: to be reviewed by a person."""

from __future__ import annotations

from typing import Any

from martlet.report.drawing import data
from martlet.report.parts import Chart, Column, Finding, Part, Section, Table, Text, missing
from martlet.report.reading import Marts
from martlet.report.words import count, plural, share

__all__ = ["QUESTION", "TITLE", "section"]

TITLE = "Lookers to review"
QUESTION = "Which addresses look and never buy, and what would stopping them cost?"
_QUERY = """
select address_id, action, visit_count, hit_count, hits_saved_count,
    cast(expected_margin_lost_amount as double) as margin_lost,
    reason, approved_action
from marts.fct_looker_candidates
order by hits_saved_count desc, address_id
"""
_ALL = "select sum(hit_count) as hits from marts.dim_ip_addresses"
_BACKTEST = """
select sum(order_count) as orders, sum(orders_lost_count) as lost, sum(hit_count) as hits,
    sum(hits_saved_count) as saved, count(*) as folds
from marts.fct_looker_backtest
where rule_name = 'looker_model'
"""
_COLUMNS: list[Column] = [
    ("Address (hash)", "text"), ("Proposed or approved", "text"), ("Visits", "count"),
    ("Requests", "count"), ("Requests saved", "count"), ("Margin at risk", "money"),
    ("Why", "text"),
]  # fmt: skip


def section(marts: Marts) -> Section:
    """Return the section."""
    rows = marts.rows("fct_looker_candidates", _QUERY)
    if not rows:
        return missing(TITLE, QUESTION, rows, "fct_looker_candidates", "lookers.md")
    said, findings = _words(rows, marts)
    body = [
        (
            row["address_id"][:12], row["approved_action"] or row["action"], row["visit_count"],
            row["hit_count"], row["hits_saved_count"], row["margin_lost"], row["reason"],
        )
        for row in rows[:12]
    ]  # fmt: skip
    parts: list[Part] = [
        Text(said),
        Chart("Requests expected to be spared, by proposed action", said, lambda w: _chart(rows)),
        Table("The heaviest candidates", _COLUMNS, body),
        *_backtest(marts),
        Text(
            "Nothing is blocked by itself: a person approves each address (martlet lookers). The "
            "hash finds the address in exports.exp_lookers__review."
        ),
    ]
    reads = ("fct_looker_candidates", "fct_looker_backtest", "dim_ip_addresses")
    return Section(TITLE, QUESTION, parts, reads, "lookers.md", findings)


def _words(rows: list[dict[str, Any]], marts: Marts) -> tuple[str, list[Finding]]:
    saved = sum(row["hits_saved_count"] or 0 for row in rows)
    hits = sum(row["hit_count"] for row in rows)
    lost = sum(row["margin_lost"] or 0 for row in rows)
    everything = (marts.rows("dim_ip_addresses", _ALL) or [{"hits": None}])[0]["hits"]
    part = f" ({share(hits / everything)} of all)" if everything else ""
    text = (
        f"{plural(len(rows), 'address looks', 'addresses look')} and never "
        f"{'buys' if len(rows) == 1 else 'buy'}: {count(hits)} requests{part}. Acting on them "
        f"spares about {count(saved)} requests and risks {marts.money(lost)} of margin."
    )
    waiting = [row for row in rows if row["approved_action"] is None]
    said = f"{text} {plural(len(waiting), 'of them waits', 'of them wait')} for a decision."
    if not waiting:
        return said, []
    return said, [Finding(text, min(1.0, hits / everything) / 2 if everything else 0.05)]


def _backtest(marts: Marts) -> list[Text]:
    rows = marts.rows("fct_looker_backtest", _BACKTEST)
    if not rows or not rows[0]["folds"]:
        return []
    row = rows[0]
    return [
        Text(
            f"What the same list would have cost in the past ({plural(row['folds'], 'test')}): "
            f"{plural(row['lost'] or 0, 'order')} of {count(row['orders'] or 0)} lost, "
            f"{count(row['saved'] or 0)} of {count(row['hits'] or 0)} requests spared."
        )
    ]


def _chart(rows: list[dict[str, Any]]) -> Any:
    import altair as alt

    values = [
        {
            "action": row["action"], "saved": row["hits_saved_count"] or 0,
            "tip": f"{row['action']}: {count(row['hits_saved_count'] or 0)} of "
            f"{count(row['hit_count'])} requests",
        }
        for row in rows[:500]
    ]  # fmt: skip
    order = sorted({value["action"] for value in values})
    return (
        alt.Chart(data(values))
        .mark_bar(stroke="var(--paper)", strokeWidth=1)
        .encode(
            y=alt.Y("action:N", title=None, sort=order),
            x=alt.X("saved:Q", title="requests spared (a block: one address)", stack=True).axis(
                tickCount=4
            ),
            description="tip:N",
        )
        .properties(height=40 * len(order) + 50)
    )
