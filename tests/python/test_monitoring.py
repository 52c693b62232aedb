"""Monitoring of fitted models: every model is watched, and the figures against oracles."""

from __future__ import annotations

import re

import numpy as np
import pytest

from macro_support import render
from ml_support import TRAINING, connect, fit, rows, types
from support import PROJECT, parse_manifest

LINEAR = {"model_type": "linear_reg", "input_label_cols": ["y"], "data_split_method": "NO_SPLIT"}

#: Nobody acts on these: one shows what a leak does, two are only compared in a back-test.
NOT_WATCHED = {
    "ml_return_visits__fit_leaking",
    "ml_lifetime_value__order_fit",
    "ml_lifetime_value__order_spend_fit",
}


@pytest.fixture(scope="module")
def con():
    con = connect()
    con.execute(TRAINING)
    con.execute("alter table training add column same integer default 5")
    fit(con, "line", "select x, n, colour, flag, same, y from training", **LINEAR)
    return con


def stability(con, table: str) -> dict[str, dict]:
    found = rows(con, f"from {render('ml_population_stability', 'line', table)}")
    return {row["input"]: row for row in found}


def index(before: np.ndarray, now: np.ndarray) -> float:
    """Return the index of two arrays of counts, by its definition."""
    p = np.maximum(before / before.sum(), 1e-4)
    q = np.maximum(now / now.sum(), 1e-4)
    return float(((q - p) * np.log(q / p)).sum())


def test_every_fitted_model_is_watched():
    text = (PROJECT / "macros" / "ml" / "ml_watch_list.sql").read_text()
    watched = re.findall(r"'model': '(\w+)'", text)
    fitted = {
        node.name
        for node in parse_manifest("sample").nodes.values()
        if node.resource_type == "model"
        and node.package_name == "martlet"
        and node.config.materialized == "model"
    }
    assert len(watched) == len(set(watched))
    assert set(watched) == fitted - NOT_WATCHED, "add the model to macros/ml/ml_watch_list.sql"


def test_stability_is_that_of_histograms_with_the_edges_of_training(con):
    con.execute(
        """create or replace table moved as select x * 1.7 - 0.3 as x, n + 4 as n,
        case when id % 4 = 0 then 'violet' else colour end as colour, flag, same
        from training where id % 3 = 0"""
    )
    found = stability(con, "moved")
    assert set(found) == {"x", "n", "colour", "flag", "same"}
    for name in ("x", "n"):
        before, now = (
            np.array(
                [
                    value
                    for (value,) in con.execute(
                        f"select {name}::double from {table} where {name} is not null"
                    ).fetchall()
                ]
            )
            for table in ("training", "moved")
        )
        counts, edges = np.histogram(before, bins=10)
        inner = np.concatenate(([-np.inf], edges[1:-1], [np.inf]))
        expected = index(counts, np.histogram(now, bins=inner)[0])
        assert found[name]["population_stability_index"] == pytest.approx(expected, abs=1e-9)
        outside = np.mean((now < before.min()) | (now > before.max()))
        assert found[name]["unseen_share"] == pytest.approx(outside)
        assert found[name]["value_count"] == len(now)
    names = ["red", "green", "blue", "violet"]
    counts = [
        np.array([
            con.execute(f"select count(*) from {table} where colour = '{name}'").fetchall()[0][0]
            for name in names
        ])
        for table in ("training", "moved")
    ]  # fmt: skip
    assert found["colour"]["population_stability_index"] == pytest.approx(index(*counts))
    assert found["colour"]["unseen_share"] == pytest.approx(counts[1][3] / counts[1].sum())
    shares = [item / item.sum() for item in counts]
    assert found["colour"]["distance"] == pytest.approx(np.abs(shares[0] - shares[1]).max())
    assert found["same"]["population_stability_index"] == 0
    assert found["same"]["unseen_share"] == 0


def test_an_unchanged_table_has_no_drift_and_a_planted_one_is_found(con):
    same = stability(con, "training")
    assert all(abs(row["population_stability_index"]) < 1e-12 for row in same.values())
    assert all(row["distance"] == 0 and row["unseen_share"] == 0 for row in same.values())
    con.execute("create or replace table planted as select * replace (x + 2 as x) from training")
    planted = stability(con, "planted")
    assert planted["x"]["population_stability_index"] > 0.25
    assert planted["n"]["population_stability_index"] == 0
    # An input whose values moved by less than a bucket, as whole numbers do, does not look changed.
    con.execute("create or replace table shorter as select * from training where n < 22")
    assert stability(con, "shorter")["n"]["distance"] < 0.02


def test_empty_missing_and_odd_rows_are_measured(con):
    con.execute("create or replace table nothing as select * from training where false")
    assert {row["value_count"] for row in stability(con, "nothing").values()} == {0}
    con.execute(
        """create or replace table odd as select * from (values
        (null::double, 1, null::varchar, true, 6), ('nan'::double, 2, null, null, 6),
        ('inf'::double, 3, null, false, 6)) as t(x, n, colour, flag, same)"""
    )
    found = stability(con, "odd")
    assert found["x"]["value_count"] == 0
    assert found["x"]["population_stability_index"] is None
    assert found["colour"]["unseen_share"] is None
    # What was always the same and is something else now cannot be overlooked.
    assert found["same"]["population_stability_index"] > 5


def test_more_rows_than_the_sample_are_drawn_the_same_in_any_order(con):
    con.execute(
        """create or replace table many as
        select t.*, copy.range as copy from training as t, range(10) as copy"""
    )
    con.execute("create or replace table shuffled as from many order by hash(many)")
    drawn = []
    for table in ("many", "shuffled"):
        sql = render("ml_population_stability", "line", table, sample_rows=1000)
        drawn.append(rows(con, f"from {sql} order by input"))
    assert all(row["row_count"] == pytest.approx(1000, rel=0.1) for row in drawn[0])
    assert all(row["population_stability_index"] < 0.05 for row in drawn[0])
    for one, other in zip(*drawn, strict=True):
        assert one == pytest.approx(other)


def test_a_model_without_enough_data_can_be_watched():
    con = connect()
    con.execute(TRAINING)
    fit(con, "line", "select x, n, y from training where false", **LINEAR)
    assert stability(con, "training") == {}
    assert rows(con, "from line_validate_data_skew('training')") == []
    # Its predictions can be asked for reasons: there are none, in the columns there will be.
    two = {"model_type": "logistic_reg", "input_label_cols": ["two"]}
    fit(con, "empty", "select x, n, two from training where false", **two)
    fit(con, "full", "select x, n, two from training", **two)
    call = "_explain_predict('training', top_k_features := 3, threshold := 0.6)"
    assert rows(con, f"from empty{call}") == []
    assert types(con, f"from empty{call}") == types(con, f"from full{call}")
    assert list(types(con, f"from empty{call}")) == list(types(con, f"from full{call}"))
    ((notices,),) = con.execute("select notices from line").fetchall()
    assert notices[-1].startswith("not enough data: ")


def test_performance_is_what_scikit_learn_says():
    from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

    generator = np.random.default_rng(7)
    con = connect()
    # Rounded, so that there are ties, a 0 and a 1.
    probability = np.round(generator.beta(0.6, 0.9, 900), 2)
    outcome = generator.random(900) < probability * 0.8 + 0.1
    dates = ["2026-01-01", "2026-02-01", "2026-03-01"] * 300
    con.execute(
        "create table scores (model_name varchar, model_version int, as_of_date date, "
        "outcome_until date, is_learned_from boolean, probability double, is_positive boolean)"
    )
    con.executemany(
        "insert into scores values ('m', 1, ?, ?::date + 31, false, ?, ?)",
        [(d, d, float(p), bool(o)) for d, p, o in zip(dates, probability, outcome, strict=True)],
    )
    path = PROJECT / "models/ml/monitoring/ml_monitoring__performance.sql"
    sql = re.sub(r"\{\{ ref\('\w+'\) \}\}", "scores", path.read_text())
    found = {str(row["as_of_date"]): row for row in rows(con, sql)}
    rates = {}
    for date in sorted(found):
        here = np.array(dates) == date
        p, y = probability[here], outcome[here]
        row, clipped = found[date], np.clip(p, 1e-6, 1 - 1e-6)
        rates[date] = y.mean()
        assert row["row_count"] == 300
        assert row["roc_auc"] == pytest.approx(roc_auc_score(y, p))
        assert row["log_loss"] == pytest.approx(log_loss(y, clipped))
        assert row["brier_score"] == pytest.approx(brier_score_loss(y, p))
        bins = np.minimum(np.floor(p * 10), 9)
        gaps = [
            (bins == bin_).sum() * abs(p[bins == bin_].mean() - y[bins == bin_].mean())
            for bin_ in np.unique(bins)
        ]
        assert row["calibration_error"] == pytest.approx(sum(gaps) / 300)
    # Outcomes of January were known on 1 February, those of February not before 4 March.
    for date, prior in (("2026-01-01", "2026-01-01"), ("2026-03-01", "2026-01-01")):
        y, rate = outcome[np.array(dates) == date], rates[prior]
        expected = log_loss(y, np.full(300, rate))
        assert found[date]["prior_log_loss"] == pytest.approx(expected)
