"""How visits begin and how far they get."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from martlet.report.drawing import NARROW, data
from martlet.report.parts import Chart, Column, Finding, Part, Section, Table, Text, missing
from martlet.report.reading import Marts
from martlet.report.words import NAME, count, day, plural, share, short

__all__ = ["QUESTION", "TITLE", "section"]

TITLE = "Visits"
QUESTION = "How far do visitors get, and which channel brings buyers?"
_STEPS = ("came", "saw a product", "put it into the cart", "went to the checkout", "bought")
_QUERY = """
select channel_group, count(*) as visits, min(session_date) as first_date,
    max(session_date) as last_date,
    count(*) filter (funnel_step >= 2) as step_2, count(*) filter (funnel_step >= 3) as step_3,
    count(*) filter (funnel_step >= 4) as step_4, count(*) filter (funnel_step >= 5) as step_5,
    cast(sum(revenue_amount) as double) as revenue
from marts.fct_sessions
where not is_bot and not is_quarantined
group by channel_group
order by visits desc, channel_group
"""
_MACHINES = """
select avg(cast(is_bot as integer)) as share from marts.fct_sessions
"""
_COLUMNS: list[Column] = [
    ("Channel", "text"), ("Visits", "count"), ("Bought", "count"), ("Conversion", "share"),
    ("Revenue", "money"), ("Revenue a visit", "money"),
]  # fmt: skip


def section(marts: Marts) -> Section:
    """Return the section."""
    rows = marts.rows("fct_sessions", _QUERY)
    if not rows:
        return missing(TITLE, QUESTION, rows, "fct_sessions", "sessions.md")
    steps = [sum(row["visits"] for row in rows)]
    steps += [sum(row[f"step_{step}"] for row in rows) for step in range(2, 6)]
    said, findings = _words(rows, steps, marts)
    body = [
        (
            short(row["channel_group"], NAME).replace("_", " "), row["visits"], row["step_5"],
            row["step_5"] / row["visits"], row["revenue"], (row["revenue"] or 0) / row["visits"],
        )
        for row in rows
    ]  # fmt: skip
    parts: list[Part] = [
        Text(said),
        Chart("How far visits get", said, lambda width: _chart(steps, width)),
        Table("Visits of people by channel", _COLUMNS, body[:12]),
    ]
    return Section(TITLE, QUESTION, parts, ("fct_sessions",), "sessions.md", findings)


def _words(rows: list[dict[str, Any]], steps: list[int], marts: Marts) -> tuple[str, list[Finding]]:
    first = min(row["first_date"] for row in rows)
    last = max(row["last_date"] for row in rows)
    said = (
        f"{plural(steps[0], 'visit')} of people from {day(first)} to {day(last)}; "
        f"{share(steps[4] / steps[0])} of them bought."
    )
    kept = [now / before if before else 1.0 for before, now in pairwise(steps)]
    # The first step is curiosity; what is lost later wanted something.
    worst = min(range(1, 4), key=lambda place: kept[place])
    said += (
        f" After the visitor {_STEPS[worst]}, {share(1 - kept[worst])} go no further: the biggest "
        "loss of those who saw a product."
    )
    machines = (marts.rows("fct_sessions", _MACHINES) or [{}])[0].get("share") or 0
    said += f" Machines ({share(machines)} of all visits) are left out."
    mean = steps[4] / steps[0]
    big = [row for row in rows if row["visits"] >= max(100, steps[0] * 0.03)]
    findings = []
    if len(big) > 1 and mean > 0:
        best, least = (
            pick(big, key=lambda row: row["step_5"] / row["visits"]) for pick in (max, min)
        )
        good, bad = (row["step_5"] / row["visits"] for row in (best, least))
        error = (mean * (1 - mean) * (1 / best["visits"] + 1 / least["visits"])) ** 0.5
        if good - bad > 3 * error:
            most, fewest = (
                short(row["channel_group"], NAME).replace("_", " ") for row in (best, least)
            )
            text = (
                f"Visits from {most} buy most often ({share(good)}), those from {fewest} least "
                f"({share(bad)})."
            )
            said += " " + text
            findings = [Finding(text, min(0.5, least["visits"] / steps[0]))]
    return said, findings


def _chart(steps: list[int], width: int) -> Any:
    import altair as alt

    values = [
        {
            "step": name, "visits": value, "label": f"{count(value)} ({share(value / steps[0])})",
            "tip": f"{count(value)} visits {name}",
        }
        for name, value in zip(_STEPS, steps, strict=True)
    ]  # fmt: skip
    base = alt.Chart(data(values)).encode(
        y=alt.Y("step:N", title=None, sort=list(_STEPS)),
        x=alt.X("visits:Q", title="visits")
        .axis(tickCount=4)
        .scale(domainMax=steps[0] * (1.25 if width > NARROW else 1.9)),
    )
    bars = base.mark_bar().encode(description="tip:N")
    figures = base.mark_text(align="left", dx=4).encode(text="label:N")
    return (bars + figures).properties(height=210)
