"""Discount affinity: what was planted is found, and nothing where nothing was planted."""

from __future__ import annotations

from typing import Any

import duckdb
import jinja2
import numpy as np
import pyarrow as pa
import pytest

from support import PROJECT

MODEL = PROJECT / "models/features/customers/ftr_customers__discount_affinity.sql"
ORDERS, LINES = 12, 3


def _affinity(indices: np.ndarray, shared: float) -> list[dict[str, Any]]:
    """Return the model's rows for customers with these indices; `shared` moves whole orders."""
    generator = np.random.default_rng(0)
    customer = np.repeat(np.arange(len(indices)), ORDERS * LINES)
    order = np.repeat(np.arange(len(indices) * ORDERS), LINES)
    expected = generator.uniform(0.2, 0.4, len(customer))
    mood = generator.choice([1 - shared, 1 + shared], len(indices) * ORDERS)[order]
    bought = generator.uniform(size=len(customer)) < expected * indices[customer] * mood
    con = duckdb.connect()
    lines = pa.table(
        {
            "customer_id": customer,
            "order_id": order,
            "is_discounted": bought,
            "expected_discount_probability": expected,
            "discount_rate": bought * 0.2,
        }
    )
    con.register("made_up", lines)
    con.execute(
        "create table int_order_items__discounts as "
        "select *, date '2026-05-01' as order_date from made_up"
    )
    con.execute(
        "create table int_as_of_dates__spine as "
        "select date '2026-06-01' as as_of_date, true as is_current"
    )
    environment = jinja2.Environment()
    environment.globals["ref"] = lambda name: name
    found = con.execute(environment.from_string(MODEL.read_text()).render() + " order by 1")
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def test_planted_seekers_are_found_and_estimates_are_shrunken() -> None:
    indices = np.repeat([0.5, 1.0, 1.5], 300)
    rows = _affinity(indices, 0.0)
    found = np.array([row["affinity_index"] for row in rows])
    raw = np.array(
        [row["discounted_line_count"] / row["expected_discounted_line_count"] for row in rows]
    )
    assert np.mean((found - indices) ** 2) < 0.8 * np.mean((raw - indices) ** 2)
    own = np.array([row["credibility"] for row in rows])
    assert found == pytest.approx(1 + own * (raw - 1))
    # Of 80 % intervals one in five misses, half of these on either side.
    inside = [row["affinity_index_low"] <= i <= row["affinity_index_high"]
              for row, i in zip(rows, indices, strict=True)]  # fmt: skip
    assert 0.7 < np.mean(inside) < 0.95
    seekers = [i for row, i in zip(rows, indices, strict=True)
               if row["discount_segment"] == "discount_seeker"]  # fmt: skip
    assert len(seekers) > 100
    assert np.mean(np.array(seekers) == 1.5) > 0.85


@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_customers_alike_have_no_segments_even_when_orders_are_all_or_nothing(
    shared: float,
) -> None:
    rows = _affinity(np.ones(900), shared)
    assert {row["discount_segment"] for row in rows} == {"opportunist"}
    assert {row["affinity_index"] for row in rows} == {1.0}
