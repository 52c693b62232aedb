"""Shops with hardly anything to learn from build, and what cannot be fitted says so."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from support import query, run_dbt
from test_customers import ENTITIES, PRODUCT, line, order, person, write_shop

OPENED = dt.datetime(2024, 6, 1)
RNG = random.Random(3)

Plan = Callable[[int], list[tuple[dt.datetime, float]]]


def mixed(customer: int) -> list[tuple[dt.datetime, float]]:
    """One customer orders every 15 minutes; some spend nothing or less."""
    if customer == 0:
        return [(OPENED + dt.timedelta(minutes=15 * place), 5) for place in range(50_000)]
    if customer % 7 in (1, 2):
        return [(some_day(), 0.0 if customer % 7 == 1 else -10.0)]
    return [(some_day(), RNG.random() * 50) for _ in range(RNG.choice([1, 1, 2, 3, 6]))]


def some_day(days: int = 500) -> dt.datetime:
    return OPENED + dt.timedelta(days=RNG.random() * days)


SHOPS: dict[str, tuple[Plan, str, tuple[str, ...]]] = {
    "mixed": (mixed, "", ("churn", "segments", "lifetime_value", "customer_states")),
    "one order each": (lambda _: [(some_day(), 20)], "", ("segments",)),
    "all alike": (
        lambda _: [(OPENED + dt.timedelta(days=days), 20) for days in (0, 100, 200, 300, 400)],
        "", ("lifetime_value", "customer_states"),
    ),
    "one day": (lambda _: [(OPENED, 20)], "", ()),
    "dead for two years": (
        lambda _: [(some_day(300), 20) for _ in range(RNG.choice([1, 1, 2, 3, 6]))],
        "2027-04-01", ("segments", "lifetime_value", "customer_states"),
    ),
    "looked at before the first order": (lambda _: [(OPENED, 20)], "2024-01-01", ()),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("shop", SHOPS)
def test_hostile_shops_build(shop: str, tmp_path: Path) -> None:
    plan, as_of, trained = SHOPS[shop]
    RNG.seed(3)
    made = [(f"C{n:04d}", when, amount) for n in range(300) for when, amount in plan(n)]
    RNG.shuffle(made)
    orders = [
        order(place, customer, when, subtotal=f"{amount:.2f}", total=f"{amount:.2f}")
        for place, (customer, when, amount) in enumerate(made)
    ]
    lines = [line(place, place, amount, when) for place, (_, when, amount) in enumerate(made)]
    people = [person(f"C{n:04d}") for n in range(300)]
    raw, database = tmp_path / "raw", tmp_path / "martlet.duckdb"
    write_shop(raw, customers=people, products=[PRODUCT], orders=orders, order_lines=lines)
    result = run_dbt(
        *("build", "--indirect-selection", "cautious", "--exclude-resource-type", "unit_test"),
        *("--select", "+fct_customer_churn", "+fct_customer_lifetime_value"),
        *("+fct_customer_segments", "+fct_customer_states", "+fct_lifetime_value_backtest"),
        database=database,
        target=tmp_path / "target",
        vars={
            "martlet_raw_path": str(raw),
            "martlet_connector_entities": ENTITIES,
            "martlet_as_of_date": as_of,
        },
    )
    assert result.success, result.messages
    for task in ("churn", "segments", "lifetime_value", "customer_states"):
        status = query(database, f"select status from ml.ml_{task}__fit where is_champion")[0][0]
        assert status == ("trained" if task in trained else "insufficient_data"), task
    wrong = query(
        database,
        """select count(*) from ml.ml_lifetime_value__predictions
        where not (isfinite(expected_order_count_365_days)
            and order_count_365_days_lower <= order_count_365_days_upper
            and spend_365_days_lower_amount <= spend_365_days_upper_amount
            -- The value of an order lies among those that came.
            and expected_order_amount <= (
                select 1.05 * max(mean_purchase_amount) from ml.ml_lifetime_value__training_set
            ))""",
    )
    assert wrong == [(0,)]
