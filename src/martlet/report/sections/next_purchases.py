"""What customers will buy next: what is due again, and the likeliest purchases of all."""

from __future__ import annotations

from typing import Any

from martlet.report.drawing import PALETTE, data
from martlet.report.parts import Chart, Column, Details, Part, Section, Table, Text, missing
from martlet.report.reading import Marts
from martlet.report.words import count, day, plural, share

__all__ = ["QUESTION", "TITLE", "section"]

TITLE = "Next purchases"
QUESTION = "Who is due to buy what again, and which purchases are likeliest next?"
#: Weeks ahead that the chart shows.
_WEEKS = 8
_BY_WEEK = """
select
    case when purchase_status = 'due' then 0
        else 1 + date_diff('day', as_of_date, due_date) // 7 end as week,
    count(*) as purchases, count(distinct customer_id) as customers
from marts.fct_buy_again
where purchase_status <> 'lapsed'
group by 1
order by 1
"""
_DUE = """
select customer_id, coalesce(product_name, product_id) as product, last_purchase_date,
    interval_days, due_date
from marts.fct_buy_again
where purchase_status = 'due'
order by purchase_day_count desc, due_date desc, customer_id, product_id
limit 10
"""
_LIKELY = """
with pairs as (
    select *, count(*) over () as pairs, sum(purchase_probability) over () as expected,
        row_number() over (
            partition by customer_id order by purchase_probability desc, product_id
        ) as place
    from marts.fct_customer_product_propensity
)
select customer_id, coalesce(product_name, product_id) as product, purchase_probability,
    candidate_source, reason_1, as_of_date, purchase_until_date, pairs, expected
from pairs
where place = 1
order by purchase_probability desc, customer_id
limit 10
"""
# Probabilities of a basket hold if the customer orders at all.
_BASKETS = """
with counted as (
    select customer_id, sum(basket_probability) as products,
        sum(basket_probability) filter (where basket_part = 'repeat') as repeats
    from marts.fct_next_baskets
    group by 1
)
select count(*) as customers, avg(products) as products,
    sum(repeats) / nullif(sum(products), 0) as repeat_share
from counted
"""
_SOURCES = {
    "bought": "bought it before",
    "looked_at": "looked at it",
    "followed": "others bought it next",
    "category": "of a category it buys",
    "popular": "sells well",
}
_DUE_COLUMNS: list[Column] = [
    ("Customer", "text"), ("Product", "text"), ("Last bought", "date"),
    ("Usual days between", "count"), ("Due", "date"),
]  # fmt: skip
_LIKELY_COLUMNS: list[Column] = [
    ("Customer", "text"), ("Product", "text"), ("Chance", "share"), ("Asked because", "text"),
    ("What speaks for it", "text"),
]  # fmt: skip


def section(marts: Marts) -> Section:
    """Return the section."""
    weeks = marts.rows("fct_buy_again", _BY_WEEK)
    likely = marts.rows("fct_customer_product_propensity", _LIKELY)
    reads = ("fct_buy_again", "fct_customer_product_propensity", "fct_next_baskets")
    if not weeks and not likely:
        which = reads[0] if weeks is None or likely is not None else reads[1]
        empty = weeks if which == reads[0] else likely
        return missing(TITLE, QUESTION, empty, which, "recommendations.md")
    parts = [*_due(weeks or [], marts), *_likeliest(likely or []), *_baskets(marts)]
    return Section(TITLE, QUESTION, parts, reads, "recommendations.md")


def _due(weeks: list[dict[str, Any]], marts: Marts) -> list[Part]:
    if not weeks:
        return [
            Text("Nobody has bought the same product on two days so far: nothing is due again.")
        ]
    now = next((row for row in weeks if row["week"] == 0), {"purchases": 0, "customers": 0})
    soon = sum(row["purchases"] for row in weeks if 1 <= row["week"] <= _WEEKS)
    said = (
        f"Judging by the time between earlier purchases, {plural(now['purchases'], 'repeat')} of "
        f"{plural(now['customers'], 'customer')} {'is' if now['purchases'] == 1 else 'are'} due "
        f"now, and {count(soon)} more in the next {_WEEKS} weeks."
    )
    rows = marts.rows("fct_buy_again", _DUE) or []
    body = [
        (row["customer_id"], row["product"], row["last_purchase_date"], row["interval_days"],
         row["due_date"])
        for row in rows
    ]  # fmt: skip
    parts: list[Part] = [
        Text(said),
        Chart("Repeats by the week they are due", said, lambda width: _chart(weeks)),
    ]
    return parts + ([Table("Due now, regular buyers first", _DUE_COLUMNS, body)] if body else [])


def _likeliest(rows: list[dict[str, Any]]) -> list[Part]:
    if not rows:
        return []
    first = rows[0]
    said = (
        f"Of {plural(first['pairs'], 'pair')} of a customer and a product, "
        f"{plural(first['expected'], 'purchase is', 'purchases are')} to be expected from "
        f"{day(first['as_of_date'])} until {day(first['purchase_until_date'])}, a chance of "
        f"{share(first['expected'] / first['pairs'])} each; the table has the customers with the "
        "surest one."
    )
    body = [
        (row["customer_id"], row["product"], row["purchase_probability"],
         _SOURCES.get(row["candidate_source"], row["candidate_source"]), row["reason_1"])
        for row in rows
    ]  # fmt: skip
    return [Text(said), Table("Likeliest purchases", _LIKELY_COLUMNS, body)]


def _baskets(marts: Marts) -> list[Part]:
    rows = marts.rows("fct_next_baskets", _BASKETS)
    if not rows or rows[0]["products"] is None:
        return []
    said = (
        f"If they order, the products foreseen for a customer's next basket hold "
        f"{rows[0]['products']:.2f} purchases on average, "
        f"{share(rows[0]['repeat_share'] or 0)} of them repeats "
        f"({plural(rows[0]['customers'], 'customer')})."
    )
    return [Details("The next basket", [Text(said)])]


def _chart(weeks: list[dict[str, Any]]) -> Any:
    import altair as alt

    found = {row["week"]: row["purchases"] for row in weeks}
    names = ["now", *(f"in week {week}" for week in range(1, _WEEKS + 1))]
    values = [
        {
            "week": name, "purchases": found.get(week, 0),
            "tip": f"due {name}: {plural(found.get(week, 0), 'repeat')}",
        }
        for week, name in enumerate(names)
    ]  # fmt: skip
    return (
        alt.Chart(data(values))
        .mark_bar(color=PALETTE[0])
        .encode(
            y=alt.Y("week:N", title=None, sort=names),
            x=alt.X("purchases:Q", title="repeats due").axis(tickMinStep=1, tickCount=4),
            description="tip:N",
        )
        .properties(height=26 * len(names) + 40)
    )
