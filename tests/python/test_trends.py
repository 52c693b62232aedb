"""Trending products: chances against SciPy, false discoveries against Benjamini and Hochberg."""

from __future__ import annotations

import duckdb
import jinja2
import numpy as np
import pytest
from scipy import stats

from support import PROJECT

WINDOWS = """
create table int_products__trend_windows as
select d.d as as_of_date, 'p' || p as product_id, true as is_current, 'c' || p % 3 as category,
    true as is_on_sale, date '2025-01-01' as launched_date,
    (case when p = 5 then 60 when p = 11 then 5000 else hash(p + 7) % 9 end)::bigint
        as recent_order_count,
    28::bigint as recent_days, 0::bigint as recent_out_of_stock_days,
    (case when p = 11 then 4000 else hash(p) % 30 end)::bigint as base_order_count,
    (case when p = 8 then 10 else 112 end)::bigint as base_days,
    null::bigint as next_order_count, null::bigint as next_days
from range(40) as a(p), (values (date '2026-01-01'), (date '2026-02-01')) as d(d)
"""


@pytest.fixture(scope="module")
def trends() -> list[dict[str, object]]:
    """What the model makes of made-up windows."""
    macros = "".join(
        (PROJECT / f"macros/portable/{name}.sql").read_text()
        for name in ("number_series", "exact_sum")
    )
    model = (PROJECT / "models/intermediate/trends/int_products__trends.sql").read_text()
    environment = jinja2.Environment()
    environment.globals["ref"] = lambda name: name
    sql = environment.from_string(macros + model).render()
    con = duckdb.connect()
    con.execute(WINDOWS)
    found = con.execute(sql)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def test_chance_is_the_tail_of_the_gamma_poisson(trends) -> None:
    for row in trends:
        if str(row["as_of_date"]) != "2026-01-01" or row["product_id"] == "p11":
            continue
        mean, count = row["expected_order_count"], row["recent_order_count"]
        # shrunken_lift = (shape + count) / (shape + mean) gives the shape back.
        if abs(row["shrunken_lift"] - 1) < 1e-9 or count <= mean:
            assert count > mean or row["p_value"] == 1
            continue
        shape = (count - row["shrunken_lift"] * mean) / (row["shrunken_lift"] - 1)
        wanted = stats.nbinom.sf(count - 1, shape, shape / (shape + mean))
        assert row["p_value"] == pytest.approx(wanted, abs=1e-9)


def test_false_discoveries_are_controlled_at_each_date(trends) -> None:
    for day in {row["as_of_date"] for row in trends}:
        mine = [row for row in trends if row["as_of_date"] == day]
        wanted = stats.false_discovery_control([row["p_value"] for row in mine])
        assert [row["q_value"] for row in mine] == pytest.approx(wanted)


def test_a_jump_is_found_and_restless_sales_make_it_less_sure(trends) -> None:
    jumps = {str(row["as_of_date"]): row for row in trends if row["product_id"] == "p5"}
    first, second = jumps["2026-01-01"], jumps["2026-02-01"]
    assert first["q_value"] < 0.01
    # The same counts again: by then the first date has told how restless sales are.
    assert second["p_value"] > first["p_value"]
    raw = second["recent_order_count"] / second["expected_order_count"]
    assert 1 < first["shrunken_lift"] < second["shrunken_lift"] < raw


def test_counts_beyond_the_series_stay_within_it(trends) -> None:
    large = next(row for row in trends if row["product_id"] == "p11")
    assert 0 <= large["p_value"] <= 1


def test_expected_counts_add_up_to_the_sales_of_the_shop(trends) -> None:
    first = [row for row in trends if str(row["as_of_date"]) == "2026-01-01"]
    sold = sum(row["recent_order_count"] for row in first)
    assert sum(row["expected_order_count"] for row in first) == pytest.approx(sold, rel=0.02)
    assert np.isfinite([row["shrunken_lift"] for row in first]).all()
