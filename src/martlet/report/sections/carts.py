"""What becomes of carts."""

from __future__ import annotations

from typing import Any

from martlet.report.drawing import PALETTE, data
from martlet.report.parts import Chart, Column, Finding, Part, Section, Table, Text, missing
from martlet.report.reading import Marts
from martlet.report.words import count, plural, share

__all__ = ["QUESTION", "TITLE", "section"]

TITLE = "Carts"
QUESTION = "How many carts are left behind, at which step, and what can be won back?"
_QUERY = """
select cart_state, case when funnel_step >= 4 then 'in the checkout' else 'in the cart' end as step,
    count(*) as carts, cast(sum(value_amount) as double) as amount, min(opened_at) as first_at,
    count(*) filter (is_reminder_eligible) as remindable,
    cast(sum(value_amount) filter (is_reminder_eligible) as double) as remindable_amount
from marts.fct_carts
where not is_bot
group by all
"""
_STATES = {
    "bought": "bought",
    "recovered": "bought after a pause",
    "bought_elsewhere": "bought another way",
    "emptied": "emptied",
    "open": "still open",
    "abandoned_1h": "left for an hour",
    "abandoned_24h": "left for a day",
    "abandoned_7d": "left for a week",
}
_COLUMNS: list[Column] = [
    ("What became of it", "text"), ("Carts", "count"), ("Share", "share"), ("Worth", "money"),
]  # fmt: skip


def section(marts: Marts) -> Section:
    """Return the section."""
    rows = marts.rows("fct_carts", _QUERY)
    if not rows:
        return missing(TITLE, QUESTION, rows, "fct_carts", "carts-and-attribution.md")
    total = sum(row["carts"] for row in rows)
    said, findings = _words(rows, total, marts)
    body = []
    for state, name in _STATES.items():
        found = [row for row in rows if row["cart_state"] == state]
        carts = sum(row["carts"] for row in found)
        if carts:
            body.append((name, carts, carts / total, sum(row["amount"] or 0 for row in found)))
    parts: list[Part] = [
        Text(said),
        Chart("Carts by what became of them", said, lambda width: _chart(rows)),
        Table("Carts", _COLUMNS, body),
    ]
    page = "carts-and-attribution.md"
    return Section(TITLE, QUESTION, parts, ("fct_carts",), page, findings)


def _words(rows: list[dict[str, Any]], total: int, marts: Marts) -> tuple[str, list[Finding]]:
    left = [row for row in rows if row["cart_state"].startswith("abandoned")]
    carts = sum(row["carts"] for row in left)
    amount = sum(row["amount"] or 0 for row in left)
    checkout = sum(row["carts"] for row in left if row["step"] == "in the checkout")
    recovered = sum(row["carts"] for row in rows if row["cart_state"] == "recovered")
    reminders = sum(row["remindable"] for row in rows)
    worth = sum(row["remindable_amount"] or 0 for row in rows)
    text = (
        f"{share(carts / total)} of {plural(total, 'cart')} were left behind, worth "
        f"{marts.money(amount)}."
    )
    said = (
        f"{text} {plural(checkout, 'of them was', 'of them were')} left in the checkout, where "
        f"something was in the way; {plural(carts - checkout, 'one', 'others')} before it. "
        f"{plural(recovered, 'cart was', 'carts were')} bought after a pause."
    )
    if reminders:
        said += (
            f" {plural(reminders, 'customer')} may be reminded now, of {marts.money(worth)} in all."
        )
        text += f" {plural(reminders, 'reminder')} may be sent now, worth {marts.money(worth)}."
    # Over the days the carts span, as a share of a year's revenue.
    days = max(1, (marts.as_of_date - min(row["first_at"] for row in rows).date()).days)
    stake = amount / (marts.yearly_revenue * min(1.0, days / 365))
    return said, [Finding(text, min(1.0, stake))] if carts else []


def _chart(rows: list[dict[str, Any]]) -> Any:
    import altair as alt

    order = [
        name for state, name in _STATES.items() if any(row["cart_state"] == state for row in rows)
    ]
    steps = {"in the cart": "did not reach the checkout", "in the checkout": "reached it"}
    values = [
        {
            "state": _STATES.get(row["cart_state"], row["cart_state"]), "carts": row["carts"],
            "step": steps[row["step"]],
            "tip": f"{_STATES.get(row['cart_state'], row['cart_state'])}, {steps[row['step']]}: "
            f"{count(row['carts'])}",
        }
        for row in rows
    ]  # fmt: skip
    return (
        alt.Chart(data(values))
        .mark_bar()
        .encode(
            y=alt.Y("state:N", title=None, sort=order),
            x=alt.X("carts:Q", title="carts").axis(tickMinStep=1, tickCount=4),
            color=alt.Color("step:N", title=None).scale(
                domain=list(steps.values()), range=[PALETTE[0], PALETTE[1]]
            ),
            description="tip:N",
        )
        .properties(height=26 * len(order) + 70)
    )
