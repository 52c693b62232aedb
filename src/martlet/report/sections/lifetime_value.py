"""What customers are worth, and how much hangs on the best of them."""

from __future__ import annotations

from typing import Any

from martlet.report.drawing import data
from martlet.report.parts import (
    Chart,
    Column,
    Details,
    Finding,
    Part,
    Section,
    Table,
    Text,
    missing,
)
from martlet.report.reading import Marts
from martlet.report.words import day, plural, share

__all__ = ["QUESTION", "TITLE", "section"]

TITLE = "Lifetime value"
QUESTION = "What is a customer worth in the next year, and how much hangs on the best ones?"
_QUERY = """
select ntile_number, count(*) as customers, cast(sum(net_revenue_amount) as double) as revenue,
    cast(sum(expected_spend_365_days_amount) as double) as expected,
    cast(avg(expected_spend_365_days_amount) as double) as expected_each,
    avg(alive_probability) as alive
from (
    select *, 11 - ntile(10) over (
        order by coalesce(expected_spend_365_days_amount, net_revenue_amount) desc, customer_id
    ) as ntile_number
    from marts.fct_customer_lifetime_value
    where is_current
)
group by ntile_number
order by ntile_number desc
"""
_BACKTEST = """
select as_of_date, horizon_days, forecast_method, cast(spend_amount as double) as spend,
    cast(expected_spend_amount as double) as expected, top_decile_spend_share
from marts.fct_lifetime_value_backtest
where is_best
order by as_of_date desc, horizon_days desc
limit 1
"""
_COLUMNS: list[Column] = [
    ("Tenth of the customers", "text"), ("Customers", "count"), ("Brought so far", "money"),
    ("Expected in a year", "money"), ("Expected each", "money"), ("Still a customer", "share"),
]  # fmt: skip


def section(marts: Marts) -> Section:
    """Return the section."""
    rows = marts.rows("fct_customer_lifetime_value", _QUERY)
    if not rows:
        return missing(TITLE, QUESTION, rows, "fct_customer_lifetime_value", "lifetime-value.md")
    has_forecast = any(row["expected"] is not None for row in rows)
    key = "expected" if has_forecast else "revenue"
    total = sum(row[key] or 0 for row in rows)
    top = rows[0]
    held = (top[key] or 0) / total if total > 0 else 0.0
    customers = sum(row["customers"] for row in rows)
    if has_forecast:
        said = (
            f"{plural(customers, 'customer')} are expected to spend {marts.money(total)} in the "
            f"next 365 days. "
        )
        best = f"The best tenth ({plural(top['customers'], 'customer')}) is expected to bring "
        best += (
            f"{share(held)} of the next year's spending, {marts.money(top['expected_each'])} each"
        )
    else:
        said = "There is too little history for a forecast; this is what customers brought so far. "
        best = f"The best tenth brought {share(held)} of the revenue"
    said += best + "."
    parts: list[Part] = [
        Text(said),
        Chart("Value by tenth of the customers", said, lambda width: _chart(rows, key, marts)),
        *_backtest(marts),
        Details("The tenths as a table", [Table("Tenths", _COLUMNS, [_row(r) for r in rows])]),
    ]
    findings = [Finding(f"{best}.", max(0.0, held - 0.1) / 2)] if has_forecast else []
    reads = ("fct_customer_lifetime_value", "fct_lifetime_value_backtest")
    return Section(TITLE, QUESTION, parts, reads, "lifetime-value.md", findings)


def _row(row: dict[str, Any]) -> tuple[Any, ...]:
    return (
        _tenth(row), row["customers"], row["revenue"], row["expected"], row["expected_each"],
        row["alive"],
    )  # fmt: skip


def _tenth(row: dict[str, Any]) -> str:
    place = 11 - row["ntile_number"]
    return {1: "best", 10: "last"}.get(place, f"{place}.")


def _backtest(marts: Marts) -> list[Text]:
    rows = marts.rows("fct_lifetime_value_backtest", _BACKTEST)
    if not rows or not rows[0]["spend"]:
        return []
    row = rows[0]
    off = row["expected"] / row["spend"] - 1
    method = row["forecast_method"].replace("_", " ")
    way = "too much" if off > 0 else "too little"
    return [
        Text(
            f"How good such forecasts were: told on {day(row['as_of_date'])} for "
            f"{row['horizon_days']} days, the best method ({method}) expected "
            f"{marts.money(row['expected'])}; it became {marts.money(row['spend'])}, so "
            f"{share(abs(off))} {way}. The tenth it put first brought "
            f"{share(row['top_decile_spend_share'] or 0)} of the money."
        )
    ]


def _chart(rows: list[dict[str, Any]], key: str, marts: Marts) -> Any:
    import altair as alt

    title = "expected in a year" if key == "expected" else "brought so far"
    values = [
        {"tenth": _tenth(row), "amount": row[key] or 0, "tip": marts.money(row[key] or 0)}
        for row in rows
    ]
    return (
        alt.Chart(data(values))
        .mark_bar()
        .encode(
            x=alt.X("tenth:O", title="tenth of the customers", sort=None).axis(labelAngle=0),
            y=alt.Y("amount:Q", title=f"{title} ({marts.unit})").axis(format="~s"),
            description="tip:N",
        )
        .properties(height=240)
    )
