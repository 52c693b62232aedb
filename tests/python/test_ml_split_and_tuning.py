"""Splits, preprocessing of every kind of column, class weights, tuning, neural networks."""

from __future__ import annotations

import numpy as np
import pytest

from martlet.errors import MartletError
from martlet.store import ModelStore
from martlet.verify import verify_version
from ml_support import HOSTILE, TRAINING, columns, connect, encoded, fit, parameters, rows

LINE = {"model_type": "linear_reg", "labels": "y"}


@pytest.fixture
def con():
    con = connect()
    con.execute(TRAINING.replace("range(400)", "range(2000)"))
    return con


def sizes(con, name: str) -> tuple[int, int]:
    found = con.execute(f"select training_rows, evaluation_rows from {name} where is_champion")
    return found.fetchall()[0]


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(499, 0, 0), (500, 70, 130), (2000, 340, 460), (50001, 10000, 10000)],
)
def test_automatic_split_depends_on_the_number_of_rows(count, low, high):
    con = connect()
    con.execute(f"create table t as select i % 89 as x, i as y from range({count}) as r(i)")
    fit(con, "line", "from t", **LINE)
    train, evaluation = sizes(con, "line")
    assert low <= evaluation <= high
    assert train + evaluation == count


def test_random_split_depends_on_content_only(con):
    config = LINE | {"data_split_method": "RANDOM", "data_split_eval_fraction": 0.3}
    fit(con, "first", "select id, x, n, y from training", **config)
    fit(con, "second", "select y, n, x, id from training order by hash(id)", **config)
    fit(con, "third", "select id, x, n, y from training", **config, seed=9)
    assert sizes(con, "first") == sizes(con, "second")
    assert 540 <= sizes(con, "first")[1] <= 660
    query = "select metrics->>'mean_squared_error' as m from {}"
    first, second, third = (
        float(rows(con, query.format(name))[0]["m"]) for name in ("first", "second", "third")
    )
    assert first == pytest.approx(second, rel=1e-9)
    assert first != pytest.approx(third, rel=1e-9)


def test_custom_and_sequential_splits(con):
    sql = "select x, n, y, id, case id % 4 when 0 then true when 1 then null else false end as c"
    fit(con, "custom", f"{sql} from training", **LINE, entity_cols=["id"],
        data_split_method="CUSTOM", data_split_col="c")  # fmt: skip
    assert sizes(con, "custom") == (1000, 1000)  # NULL evaluates
    assert "c" not in [row["input"] for row in rows(con, "from custom_feature_info()")]
    sql = "select x, n, y, case when id < 100 then null else id end as day"
    fit(con, "seq", f"{sql} from training", **LINE, data_split_method="SEQ", data_split_col="day",
        data_split_eval_fraction=0.25)  # fmt: skip
    assert sizes(con, "seq") == (1500, 500)
    # A day is not cut in two.
    fit(con, "days", "select x, n, y, id // 300 as day from training", **LINE,
        data_split_method="SEQ", data_split_col="day")  # fmt: skip
    assert sizes(con, "days")[1] in (200, 500)


def test_every_kind_of_column(con):
    con.execute(
        "create table wide as select id, y, "
        "timestamp '2024-01-31 22:30' + to_hours(id::int) as at, "
        "date '2024-01-01' + (id % 5)::int as day, time '10:00' as clock, "
        "{'a': x, 'b': colour} as s, [colour, 'k' || id % 2] as tags, "
        "[{'i': id % 3, 'v': n * 1.0}] as sparse, [x, n::double] as vector, n::decimal(9, 2) as d, "
        "colour::blob as raw, n::utinyint as tiny from training where x is not null"
    )
    outcome = fit(con, "line", "from wide", **LINE, entity_cols=["id"])
    assert outcome.status == "trained"
    names = {row["processed_input"] for row in rows(con, "from line_weights()")}
    parts = {f"_TS_{p}_at" for p in ("DOM", "DOW", "MOY", "HOD", "MOH", "WOY", "YEAR")}
    assert parts | {"at", "s_a", "s_b", "tags", "sparse", "vector[1]", "vector[2]"} <= names
    assert rows(con, "select scoring_difference <= 1e-9 as ok from line") == [{"ok": True}]
    hours = next(
        r for r in rows(con, "from line_weights()") if r["processed_input"] == "_TS_HOD_at"
    )
    assert len(hours["category_weights"]) == 24


def test_dummy_encoding_drops_the_commonest_category_and_gives_p_values(con):
    fit(con, "line", "select x, colour, y from training", **LINE, calculate_p_values=True,
        category_encoding_method="DUMMY_ENCODING", data_split_method="NO_SPLIT")  # fmt: skip
    (weights,) = (
        {entry["category"]: entry["weight"] for entry in row["category_weights"]}
        for row in rows(con, "from line_weights()")
        if row["processed_input"] == "colour"
    )
    assert weights["blue"] == 0.0
    assert all(value != 0 for name, value in weights.items() if name != "blue")
    found = rows(con, "from line_advanced_weights(standardize := true)")
    assert list(found[0]) == ["processed_input", "category", "weight", "standard_error", "p_value"]
    # By hand: ordinary least squares with the same columns.
    matrix = encoded(con, "training")[:, [0, 2 + 1, 2 + 2, 2 + 3]]
    design = np.column_stack([np.ones(len(matrix)), matrix])
    target = np.array([row["y"] for row in rows(con, "select y from training order by id")])
    beta = np.linalg.solve(design.T @ design, design.T @ target)
    residual = target - design @ beta
    spread = residual @ residual / (len(target) - 5)
    errors = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * spread)
    assert found[0]["weight"] == pytest.approx(beta[1], abs=1e-9)
    assert found[0]["standard_error"] == pytest.approx(errors[1], abs=1e-9)
    from scipy.stats import t

    assert found[0]["p_value"] == pytest.approx(2 * t.sf(abs(beta[1] / errors[1]), 1995), abs=1e-9)


def test_penalties_agree_with_scikit_learn(con):
    from sklearn.linear_model import LogisticRegression, Ridge

    matrix = encoded(con, "training")
    found = rows(con, "select y, two from training order by id")
    sql = "select id, x, n, colour, flag, {} from training"
    config = {"entity_cols": ["id"], "data_split_method": "NO_SPLIT"}
    fit(con, "ridge", sql.format("y"), **LINE, **config, l2_reg=5.0)
    wanted = Ridge(alpha=5.0).fit(matrix, [row["y"] for row in found])
    assert np.array(parameters(con, "ridge")["weights"][0]) == pytest.approx(wanted.coef_, abs=1e-8)
    fit(con, "logit", sql.format("two"), model_type="logistic_reg", labels="two", **config,
        l2_reg=5.0, max_iterations=3000, early_stop=False)  # fmt: skip
    wanted = LogisticRegression(C=1 / 5.0, max_iter=5000, tol=1e-10).fit(
        matrix, [row["two"] for row in found]
    )
    given = np.array(parameters(con, "logit")["weights"][0])
    assert given == pytest.approx(wanted.coef_[0], abs=1e-3)
    fit(con, "sparse", sql.format("y"), **LINE, **config, l1_reg=300.0, max_iterations=500)
    weights = np.array(parameters(con, "sparse")["weights"][0])
    assert (weights == 0).sum() >= 2
    assert (weights != 0).sum() >= 2


def test_class_weights_move_the_probabilities(con):
    sql = "select x, n, id % 10 = 0 or x > 3.5 as rare from training"
    config = {"model_type": "logistic_reg", "labels": "rare", "data_split_method": "NO_SPLIT"}
    fit(con, "plain", sql, **config)
    fit(con, "fair", sql, **config, auto_class_weights=True)
    fit(con, "given", sql, **config, class_weights=[(False, 1.0), (True, 9.0)])
    plain, fair, given = (
        rows(con, f"select recall from {name}_evaluate()")[0]["recall"]
        for name in ("plain", "fair", "given")
    )
    assert plain < fair
    assert plain < given


def test_tuning_chooses_the_best_trial(con):
    sql = "select x, n, colour, y from training"
    fit(con, "line", sql, **LINE, num_trials=3, l2_reg={"candidates": [0, 10, 100000]})
    trials = rows(con, "from line_trial_info()")
    assert [row["trial_id"] for row in trials] == [1, 2, 3]
    assert {row["hyperparameters"]["l2_reg"] for row in trials} == {0, 10, 100000}
    best = max(trials, key=lambda row: row["hparam_tuning_evaluation_metrics"]["r2_score"])
    assert [row["trial_id"] for row in trials if row["is_optimal"]] == [best["trial_id"]]
    assert columns(con, "from line_evaluate()")[0] == "trial_id"
    assert rows(con, "from line_weights()")[0]["trial_id"] == best["trial_id"]
    assert columns(con, "from line_trial_info()") == [
        "trial_id", "hyperparameters", "hparam_tuning_evaluation_metrics", "training_loss",
        "eval_loss", "status", "error_message", "is_optimal",
    ]  # fmt: skip
    (split,) = rows(con, "select split->'rows' as r from line")
    assert '"test"' in split["r"]
    assert verify_version(ModelStore(con, "memory", "main", "line"))[0]
    again = LINE | {"num_trials": 3, "l2_reg": "HPARAM_CANDIDATES([0, 10, 100000])"}
    assert fit(con, "line", sql, **again).status == "reused"


def test_a_failing_trial_is_recorded_and_the_rest_goes_on(con):
    fit(con, "groups", "select x, n from training where n < 1", model_type="kmeans", num_trials=2,
        num_clusters="HPARAM_CANDIDATES([2, 100])")  # fmt: skip
    trials = {
        row["hyperparameters"]["num_clusters"]: row for row in rows(con, "from groups_trial_info()")
    }
    assert trials[2]["status"] == "SUCCEEDED"
    assert trials[100]["status"] == "FAILED"
    assert "different rows" in trials[100]["error_message"]


def test_tuning_needs_rows_and_something_to_vary(con):
    small = "select x, n, y from training limit 300"
    with pytest.raises(MartletError, match="Tuning needs evaluation rows"):
        fit(con, "line", small, **LINE, num_trials=2)
    with pytest.raises(MartletError, match="cannot be tuned"):
        fit(con, "line", small, **LINE, num_trials=2, max_iterations={"range": [1, 9]})
    with pytest.raises(MartletError, match="'rmse' is not a metric"):
        fit(con, "line", "select x, n, y from training", **LINE, num_trials=2,
            hparam_tuning_objectives=["rmse"])  # fmt: skip


@pytest.mark.parametrize("activation", ["RELU", "TANH", "SIGMOID"])
def test_neural_networks_equal_scikit_learn(con, activation):
    con.execute(HOSTILE)
    sql = "select id, x, n, colour, flag, {} from training"
    config = {"entity_cols": ["id"], "hidden_units": [8, 4], "activation_fn": activation,
              "max_iterations": 5}  # fmt: skip
    fit(con, "number", sql.format("y"), model_type="dnn_regressor", labels="y", **config)
    fit(con, "pair", sql.format("two"), model_type="dnn_classifier", labels="two", **config)
    fit(con, "trio", sql.format("three"), model_type="dnn_classifier", labels="three", **config)
    for name in ("number", "pair", "trio"):
        (row,) = rows(con, f"select scoring_difference as d from {name}")
        assert row["d"] <= 1e-9
    found = rows(con, "from number_predict('hostile')")
    assert len(found) == 9
    assert rows(con, "from number_training_info()")[-1]["eval_loss"] is not None
