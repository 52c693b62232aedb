"""ml_describe_data, ml_validate_data_drift and ml_validate_data_skew against oracles."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from macro_support import MacroError, render
from ml_support import TRAINING, columns, connect, fit, rows, types


@pytest.fixture(scope="module")
def con():
    con = connect()
    con.execute(TRAINING)
    con.execute(
        """create table base as select id, x, n, colour, flag, 5 as same, two, [n, n + 1] as pair,
        timestamp '2025-01-01' + to_days(id::int) as seen_at from training"""
    )
    con.execute(
        """create table study as select id + 100 as id, x * 1.7 - 0.3 as x, n // 2 as n,
        case when id % 4 = 0 then 'violet' else colour end as colour, flag, 5 as same, two,
        [n] as pair, timestamp '2025-03-01' + to_days(id::int) as seen_at
        from training where id % 3 = 0"""
    )
    return con


def divergence(p, q) -> float:
    """Jensen-Shannon by its definition, base 2."""
    from scipy.spatial.distance import jensenshannon

    return float(jensenshannon(p, q, base=2) ** 2)


def histogram_divergence(first: np.ndarray, second: np.ndarray, buckets: int = 10) -> float:
    """Two histograms of their own ranges, spread over the edges of both, bucket by bucket."""
    first_counts, first_edges = np.histogram(first, bins=buckets)
    second_counts, second_edges = np.histogram(second, bins=buckets)
    edges = np.union1d(first_edges, second_edges)
    shares = []
    for counts, own in ((first_counts, first_edges), (second_counts, second_edges)):
        share = np.zeros(len(edges) - 1)
        for low, high, count in zip(own[:-1], own[1:], counts, strict=True):
            for place in range(len(share)):
                overlap = min(high, edges[place + 1]) - max(low, edges[place])
                share[place] += count * max(overlap, 0) / (high - low)
        shares.append(share / counts.sum())
    return divergence(*shares)


def measured(con, sql: str) -> dict[str, dict]:
    return {row["input"]: row for row in rows(con, f"from {sql}")}


def column(con, table: str, name: str) -> np.ndarray:
    query = f"select {name}::double from {table} where {name} is not null"
    return np.array([row[0] for row in con.execute(query).fetchall()])


def shares(con, table: str, name: str) -> Counter:
    query = f"select {name}::varchar from {table} where {name} is not null"
    found = Counter(row[0] for row in con.execute(query).fetchall())
    return Counter({value: count / found.total() for value, count in found.items()})


def test_drift_has_bigquerys_columns(con):
    sql = render("ml_validate_data_drift", "base", "study")
    assert types(con, f"from {sql}") == {
        "input": "VARCHAR", "metric": "VARCHAR", "threshold": "DOUBLE", "value": "DOUBLE",
        "is_anomaly": "BOOLEAN",
    }  # fmt: skip


@pytest.mark.parametrize("buckets", [10, 7])
def test_drift_of_numbers_is_the_divergence_of_their_histograms(con, buckets):
    sql = render("ml_validate_data_drift", "base", "study", num_histogram_buckets=buckets)
    found = measured(con, sql)
    for name in ("id", "x", "n"):
        expected = histogram_divergence(
            column(con, "base", name), column(con, "study", name), buckets
        )
        assert found[name]["value"] == pytest.approx(expected, abs=1e-9)
        assert found[name]["metric"] == "JENSEN_SHANNON_DIVERGENCE"
        assert found[name]["is_anomaly"] == (expected > 0.3)
    seconds = [column(con, table, "epoch(seen_at)::double") for table in ("base", "study")]
    assert found["seen_at"]["value"] == pytest.approx(
        histogram_divergence(*seconds, buckets), abs=1e-9
    )
    assert found["same"]["value"] == 0


def test_drift_of_categories_is_the_largest_difference_or_the_divergence(con):
    before, after = shares(con, "base", "colour"), shares(con, "study", "colour")
    names = sorted(before | after)
    found = measured(con, render("ml_validate_data_drift", "base", "study"))
    largest = max(abs(before[name] - after[name]) for name in names)
    assert found["colour"]["value"] == pytest.approx(largest, abs=1e-12)
    assert found["colour"]["metric"] == "L_INFTY"
    sql = render(
        "ml_validate_data_drift", "base", "study",
        categorical_metric_type="jensen_shannon_divergence", thresholds=[("colour", 0.001)],
    )  # fmt: skip
    found = measured(con, sql)
    expected = divergence([before[n] for n in names], [after[n] for n in names])
    assert found["colour"]["value"] == pytest.approx(expected, abs=1e-9)
    assert found["colour"]["threshold"] == 0.001
    assert found["colour"]["is_anomaly"] is True


def test_drift_edge_cases(con):
    con.execute("create or replace table one as select 1.0 as a, null::double as b, 'x' as c")
    con.execute("create or replace table two as select 2.0 as a, 1.0 as b, 'y' as c, 7 as d")
    found = measured(con, render("ml_validate_data_drift", "one", "two"))
    assert {name: row["value"] for name, row in found.items()} == {"a": 1, "b": 1, "c": 1}
    same = measured(con, render("ml_validate_data_drift", "one", "one"))
    assert {row["value"] for row in same.values()} == {0}


def test_drift_takes_a_cte_and_refuses_an_unknown_measure(con):
    sql = render("ml_validate_data_drift", "base", "newer", thresholds={"N": 0.9})
    found = rows(con, f"with newer as (select n + 1 as n from base) select * from {sql}")
    assert [(row["input"], row["threshold"]) for row in found] == [("n", 0.9)]
    with pytest.raises(MacroError, match="L_INFTY or JENSEN_SHANNON"):
        render("ml_validate_data_drift", "base", "study", categorical_metric_type="psi")


def test_skew_says_of_training_rows_what_drift_says(con):
    fit(
        con, "line", "select id, x, n, colour, flag, pair, seen_at, two from base",
        model_type="logistic_reg", labels="two", entity_cols=["id"], data_split_method="NO_SPLIT",
    )  # fmt: skip
    call = render("ml_validate_data_skew", "main.line", "study", thresholds={"x": 0.01})
    drift = measured(con, render("ml_validate_data_drift", "base", "study", thresholds={"x": 0.01}))
    skew = measured(con, call)
    assert list(skew) == ["colour", "flag", "n", "pair", "seen_at", "x"]
    for name, row in skew.items():
        assert row["value"] == pytest.approx(drift[name]["value"], abs=1e-12)
        assert {**row, "value": 0} == {**drift[name], "value": 0}
    assert types(con, f"from {call}") == types(
        con, f"from {render('ml_validate_data_drift', 'base', 'study')}"
    )
    other = render(
        "ml_validate_data_skew", "main.line", "study", num_histogram_buckets=5, version=1,
        categorical_metric_type="JENSEN_SHANNON_DIVERGENCE", categorical_default_threshold=0.001,
    )  # fmt: skip
    assert measured(con, other)["colour"]["is_anomaly"] is True
    # The training rows themselves have no skew, and the statistics outlive them.
    assert max(r["value"] for r in measured(con, call.replace("study", "base")).values()) < 1e-12


def test_skew_counts_training_rows_only(con):
    con.execute(
        "create table halves as select i as n, i >= 500 as late, i % 2 as y "
        "from range(1000) as r(i)"
    )
    fit(
        con, "half", "from halves", model_type="linear_reg", labels="y",
        data_split_method="CUSTOM", data_split_col="late",
    )  # fmt: skip
    early = "with early as (from halves where not late) from half_validate_data_skew('early')"
    assert [row["value"] for row in rows(con, early)] == pytest.approx([0], abs=1e-12)


def test_skew_is_told_of_inputs_alone(con):
    fit(
        con, "carried", "select x, n, id % 3 as weight, two from training",
        model_type="boosted_tree_classifier", labels=["two"], instance_weight_col="weight",
        max_iterations=2,
    )  # fmt: skip
    assert set(measured(con, "carried_validate_data_skew('training')")) == {"x", "n"}
    kept = con.execute("select distinct input from carried__training_statistics").fetchall()
    assert {name for (name,) in kept} == {"x", "n"}
    fit(
        con, "bought", "select id as basket, colour as product from training where colour <> ''",
        model_type="association_rules", basket_col="basket", item_col="product",
    )  # fmt: skip
    con.execute("create or replace temporary view items as select 'red' as product")
    assert set(measured(con, "bought_validate_data_skew('items')")) == {"product"}


def test_describe_has_bigquerys_columns(con):
    found = types(con, f"from {render('ml_describe_data', 'base')}")
    assert found == {
        "name": "VARCHAR", "num_rows": "BIGINT", "num_nulls": "BIGINT", "num_zeros": "BIGINT",
        "min": "VARCHAR", "max": "VARCHAR", "mean": "DOUBLE", "stdev": "DOUBLE",
        "median": "DOUBLE", "quantiles": "DOUBLE[]", "unique": "BIGINT",
        "avg_string_length": "DOUBLE", "num_values": "BIGINT",
        "top_values": 'STRUCT("value" VARCHAR, count BIGINT)[]', "min_array_length": "BIGINT",
        "max_array_length": "BIGINT", "avg_array_length": "DOUBLE", "total_array_length": "BIGINT",
        "array_length_quantiles": "BIGINT[]", "dimension": "BIGINT",
    }  # fmt: skip


def test_describe_counts_what_is_there(con):
    sql = render("ml_describe_data", "base", num_quantiles=4, top_k=2)
    found = {row["name"]: row for row in rows(con, f"from {sql}")}
    x = column(con, "base", "x")
    number = found["x"]
    assert (number["num_rows"], number["num_nulls"], number["num_values"]) == (400, 58, 342)
    assert (float(number["min"]), float(number["max"])) == (x.min(), x.max())
    assert number["mean"] == pytest.approx(x.mean())
    assert number["stdev"] == pytest.approx(x.std())
    assert number["median"] == pytest.approx(np.median(x))
    assert number["quantiles"][0] == x.min()
    assert number["quantiles"][4] == x.max()
    assert number["unique"] is None
    assert found["n"]["num_zeros"] == int((column(con, "base", "n") == 0).sum())
    colour = found["colour"]
    names = [
        row[0] for row in con.execute("select colour from base where colour is not null").fetchall()
    ]
    assert colour["unique"] == 3
    assert colour["top_values"] == [
        {"value": value, "count": count} for value, count in
        sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))[:2]
    ]  # fmt: skip
    assert colour["avg_string_length"] == pytest.approx(np.mean([len(name) for name in names]))
    assert (colour["min"], colour["max"]) == ("blue", "red")
    assert found["pair"]["total_array_length"] == found["pair"]["num_values"] == 800
    assert found["pair"]["min_array_length"] == found["pair"]["max_array_length"] == 2
    assert found["pair"]["array_length_quantiles"] == [2] * 11
    assert found["x"]["min_array_length"] is None


def test_describe_takes_a_cte_with_odd_values_and_no_rows(con):
    sql = render("ml_describe_data", "odd")
    odd = "with odd as (select unnest(['nan'::double, 'inf'::double, 0, 1, null]) as v)"
    (row,) = rows(con, f"{odd} select * from {sql}")
    assert (row["num_nulls"], row["num_zeros"], row["mean"], row["median"]) == (1, 1, 0.5, 0.5)
    assert rows(con, f"with odd as (select 1 as v where false) select * from {sql}") == []
    assert math.isclose(row["stdev"], 0.5)
    with pytest.raises(MacroError, match="top_k is a whole number"):
        render("ml_describe_data", "odd", top_k=0)
    assert columns(con, f"{odd} from {sql}")[0] == "name"
