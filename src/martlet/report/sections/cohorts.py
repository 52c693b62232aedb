"""Who came back, by the month of the first order."""

from __future__ import annotations

from typing import Any

from martlet.report.drawing import NARROW, data
from martlet.report.parts import Chart, Column, Details, Finding, Section, Table, Text, missing
from martlet.report.reading import Marts
from martlet.report.words import month, plural, share

__all__ = ["QUESTION", "TITLE", "section"]

TITLE = "Cohorts"
QUESTION = "Of the customers we win in a month, how many order again in the months after?"
_QUERY = """
with orders as (
    select customer_id, cast(date_trunc('month', order_date) as date) as month,
        min(cast(date_trunc('month', order_date) as date)) over (partition by customer_id) as cohort
    from marts.fct_orders
    where is_revenue_order and customer_id is not null
),
active as (
    select cohort, date_diff('month', cohort, month) as age,
        count(distinct customer_id) as customers
    from orders
    group by all
),
sizes as (
    select cohort, customers as size from active where age = 0
),
-- Every month that is over by now, whether somebody ordered in it or not.
cells as (
    select s.cohort, s.size, a.age
    from sizes as s
    cross join range(1, 13) as a(age)
    where s.cohort + to_months(cast(a.age + 1 as integer)) <= ?
)
select c.cohort, c.size, c.age, coalesce(a.customers, 0) as customers,
    coalesce(a.customers, 0) / c.size as share
from cells as c
left join active as a on a.cohort = c.cohort and a.age = c.age
where c.cohort >= cast(? as date) - interval 25 month
order by c.cohort, c.age
"""


def section(marts: Marts) -> Section:
    """Return the section."""
    rows = marts.rows("fct_orders", _QUERY, [marts.as_of_date, marts.as_of_date])
    if not rows:
        return missing(TITLE, QUESTION, rows, "fct_orders", "customers.md")
    said, findings = _words(rows)
    parts = (
        Text(said),
        Chart(
            "Share of each month's new customers who ordered in a later month",
            said,
            lambda width: _chart(rows, width),
        ),
        Details("The cohorts as a table", [_table(rows)]),
    )
    return Section(TITLE, QUESTION, parts, ("fct_orders",), "customers.md", findings)


def _mean(rows: list[dict[str, Any]], ages: range) -> float | None:
    found = [row for row in rows if row["age"] in ages]
    size = sum(row["size"] for row in found)
    return sum(row["customers"] for row in found) / size if size else None


def _words(rows: list[dict[str, Any]]) -> tuple[str, list[Finding]]:
    first = _mean(rows, range(1, 2)) or 0.0
    said = (
        f"In the first month after the month of the first order {share(first)} order again, all "
        "cohorts together."
    )
    later = _mean(rows, range(6, 7))
    if later is not None:
        said += f" In the sixth month after it {share(later)} do."
    said += " A darker square: more of them came back. A row that pales faster than those above "
    said += "it: newer customers stay less."
    # The three newest cohorts with three whole months behind them, against all before; not the
    # first month of the data, whose customers may be old ones who look new.
    cohorts = sorted({row["cohort"] for row in rows if row["age"] == 3})
    ages = range(1, 4)
    newest = [row for row in rows if row["cohort"] in cohorts[-3:]]
    older = [row for row in rows if row["cohort"] in cohorts[1:-3]]
    now, before = _mean(newest, ages), _mean(older, ages)
    if len(cohorts) < 6 or now is None or not before:
        return said, []
    # Two standard errors of the difference, months taken as independent: else it is chance.
    trials = [sum(row["size"] for row in part if row["age"] in ages) for part in (newest, older)]
    error = (before * (1 - before) * sum(1 / number for number in trials)) ** 0.5
    if abs(now - before) <= 2 * error:
        text = " The newest three cohorts stay as well as those before, as far as chance allows."
        return said + text, []
    way = "more often" if now > before else "less often"
    text = (
        f"Customers won from {month(cohorts[-3])} to {month(cohorts[-1])} order again {way} than "
        f"those before them: {share(now)} against {share(before)} in each of the first three "
        "months."
    )
    return f"{said} {text}", [Finding(text, min(1.0, abs(now - before)))]


def _table(rows: list[dict[str, Any]]) -> Table:
    ages = (1, 2, 3, 6, 12)
    columns: list[Column] = [("First order in", "text"), ("New customers", "count")]
    columns += [(f"month {age}", "share") for age in ages]
    cohorts: dict[Any, dict[Any, Any]] = {}
    for row in rows:
        cohorts.setdefault(row["cohort"], {"size": row["size"]})[row["age"]] = row["share"]
    body = [
        (month(cohort), found["size"], *(found.get(age) for age in ages))
        for cohort, found in cohorts.items()
    ]
    return Table("Cohorts: share who order in the month so long after the first", columns, body)


def _chart(rows: list[dict[str, Any]], width: int) -> Any:
    import altair as alt

    cohorts = sorted({row["cohort"] for row in rows})[-13 if width > NARROW else -9 :]
    until = 12 if width > NARROW else 6
    shown = [row for row in rows if row["cohort"] in cohorts and row["age"] <= until]
    values = [
        {
            "cohort": row["cohort"], "age": row["age"], "share": row["share"],
            "label": f"{row['share']:.0%}",
            "tip": f"{month(row['cohort'])}, month {row['age']}: {row['customers']} of "
            f"{plural(row['size'], 'customer')}",
        }
        for row in shown
    ]  # fmt: skip
    base = alt.Chart(data(values)).encode(
        x=alt.X("age:O", title="months after the first order").axis(labelAngle=0),
        y=alt.Y("cohort:O", title=None, timeUnit="yearmonth").axis(format="%b %y"),
    )
    most = max(row["share"] for row in shown)
    squares = base.mark_rect().encode(
        opacity=alt.Opacity("share:Q", legend=None).scale(
            domain=[0, most or 1], range=[0.04, 0.55]
        ),
        description="tip:N",
    )
    figures = base.mark_text(fontSize=11).encode(text="label:N")
    return (squares + figures).properties(height=24 * len(cohorts) + 40)
