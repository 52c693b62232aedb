"""Churn and uplift: measures against scikit-learn, no look ahead, compiled SQL, bad input."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import numpy as np
import pytest

from martlet.churn.calibration import Calibration, choose_calibration, log_odds, probability
from martlet.churn.measures import Offer, calibration_error, lift, measure, offer_profits
from martlet.errors import MartletError
from martlet.sqltext import column, render
from martlet.uplift import qini, uplift_at
from ml_support import connect, fit, rows, values

CHURN: dict[str, Any] = {
    "model_type": "churn_classifier",
    "input_label_cols": ["is_churned"],
    "data_split_method": "CUSTOM",
    "data_split_col": "is_test",
    "entity_cols": ["customer_id"],
    "segment_col": "segment",
}


def cutoffs(con: duckdb.DuckDBPyConnection, customers: int = 300, extra: str = "0") -> None:
    """Four cut-offs of 30 days; who leaves depends on recency and, in segment b, on spend."""
    con.execute(f"""
    create or replace table cutoffs as
    with rows as (
        select
            c as customer_id,
            k,
            date '2025-01-01' + 40 * cast(k as integer) as as_of_date,
            hash(c, k) % 300 + 1.0 as recency_days,
            hash(c, k, 'spend') % 1000 / 10.0 as spend,
            case when hash(c) % 2 = 0 then 'a' else 'b' end as segment,
            hash(c, k, 'luck') % 1000 / 1000.0 as luck
        from range({customers}) as t(c), range(4) as u(k)
    )
    select
        customer_id, as_of_date, as_of_date + 30 as label_until, recency_days, spend, segment,
        case when k = 3 then spend end as begun_late, {extra} as extra, k = 3 as is_test,
        luck < 1 / (1 + exp(-(recency_days - 150) / 60 + case when segment = 'b' then spend / 50 - 1
            else 0 end)) as is_churned
    from rows
    """)


def test_measures_equal_scikit_learn() -> None:
    from sklearn import metrics

    generator = np.random.default_rng(1)
    score = np.round(generator.random(500), 2)  # with ties
    target = (generator.random(500) < score).astype(float)
    found = measure(target, score)
    kept = np.clip(score, 1e-6, 1 - 1e-6)
    expected = {
        "roc_auc": metrics.roc_auc_score(target, score),
        "pr_auc": metrics.average_precision_score(target, score),
        "accuracy": metrics.accuracy_score(target, score > 0.5),
        "precision": metrics.precision_score(target, score > 0.5),
        "recall": metrics.recall_score(target, score > 0.5),
        "f1_score": metrics.f1_score(target, score > 0.5),
        "log_loss": metrics.log_loss(target, kept),
        "brier_score": metrics.brier_score_loss(target, score),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-12), name


def test_profit_of_an_offer_worked_out_by_hand() -> None:
    """Made to the first three; of these the first leaves and a tenth of such is kept."""
    target, margin = np.array([1.0, 0, 0, 1]), np.array([200.0, 200, 200, 3])
    profits = offer_profits(target, np.full(4, 0.9), margin, Offer(0.5, 5.0, 0.1))
    assert profits.tolist() == pytest.approx([0.1 * 195 - 0.5, -5.5, -5.5, 0])


def test_the_champion_can_be_chosen_by_profit() -> None:
    con = connect()
    cutoffs(con, 400, extra="40.0")
    chosen = {"champion_by": "expected_profit", "margin_col": "extra", "contact_cost": 0.5,
              "offer_cost": 5.0, "success_rate": 0.2}  # fmt: skip
    assert fit(con, "churn", "select * from cutoffs", **CHURN, **chosen).status == "trained"
    compared = rows(con, "from churn__comparison where role = 'selection' order by simplicity_rank")
    champion = next(item for item in compared if item["is_champion"])
    assert champion["offer_profit_amount"] > compared[0]["offer_profit_amount"]
    parameters = json.loads(rows(con, "select parameters from churn")[0]["parameters"])
    assert parameters["chosen_by"] == "expected_profit"
    assert "extra" not in parameters["features"]
    with pytest.raises(MartletError, match="needs margin_col"):
        fit(con, "other", "select * from cutoffs", **CHURN, champion_by="expected_profit")


def test_measures_at_their_borders() -> None:
    ones, zeros = np.ones(4), np.zeros(4)
    assert measure(ones, ones * 0.9)["roc_auc"] is None
    assert measure(zeros, zeros)["lift_at_10_percent"] is None
    assert measure(zeros, zeros)["precision"] is None
    # All scores equal: the first tenth is as good as any.
    assert lift(np.array([1.0, 0, 0, 0] * 5), np.full(20, 0.3)) == pytest.approx(1.0)
    assert calibration_error(np.array([1.0, 0.0]), np.array([1.0, 1.0])) == pytest.approx(0.5)


def test_calibration_mends_shape_and_leaves_the_level() -> None:
    generator = np.random.default_rng(2)
    true = generator.normal(0, 1, 4000)
    target = (generator.random(4000) < probability(true)).astype(float)
    bold = Calibration("platt", (0, 1), (0, 1)).apply(3 * true)
    found = choose_calibration(probability(bold), target)
    assert found.method in ("platt", "isotonic")
    mended = probability(found.apply(bold))
    assert calibration_error(target, mended) < 0.03 < calibration_error(target, probability(bold))
    # Only the level is wrong: that is a season, not a property of the model.
    assert choose_calibration(probability(true + 1), target).method == "none"
    assert choose_calibration(np.full(4000, 0.5), target).method == "none"


@pytest.mark.parametrize(
    "calibration",
    [
        Calibration(),
        Calibration("platt", (0.0, 1.0), (0.2, 0.9)).moved(0.4),
        Calibration("isotonic", (-1.0, 0.0, 2.0), (-2.0, 0.5, 0.6)).moved(-0.3),
    ],
)
def test_calibration_is_the_same_in_sql(calibration: Calibration) -> None:
    con = connect()
    odds = np.linspace(-4, 4, 41)
    con.execute("create table t as select unnest(?::double[]) as x", [odds.tolist()])
    sql = render(calibration.expression(column("x", "t")))
    np.testing.assert_allclose(values(con, f"select {sql} from t"), calibration.apply(odds))


def test_candidates_are_compared_on_later_cutoffs() -> None:
    con = connect()
    cutoffs(con, 400)
    outcome = fit(con, "churn", "select * from cutoffs", **CHURN)
    assert outcome.status == "trained"
    compared = rows(con, "from churn__comparison")
    # Chosen at the cut-off before the last, on those whose window was over; tested at the last.
    by_role = {item["role"]: item for item in compared}
    assert str(by_role["selection"]["as_of_date"]) == "2025-03-22"
    assert by_role["selection"]["training_row_count"] == 800
    assert str(by_role["test"]["as_of_date"]) == "2025-05-01"
    assert by_role["test"]["training_row_count"] == 1200
    tested = {item["candidate"]: item for item in compared if item["role"] == "test"}
    assert set(tested) == {
        "prior", "recency_rule", "logistic_regression", "logistic_per_segment", "random_forest",
        "boosted_trees", "blend",
    }  # fmt: skip
    champion = next(item for item in tested.values() if item["is_champion"])
    assert champion["log_loss"] < tested["prior"]["log_loss"]
    # What the warehouse says of the test cut-off is what the comparison says of the champion.
    metrics = json.loads(rows(con, "select metrics from churn where is_champion")[0]["metrics"])
    assert metrics["log_loss"] == pytest.approx(champion["log_loss"], abs=1e-9)
    difference = rows(con, "select scoring_difference as d from churn")[0]["d"]
    assert difference < 1e-9
    # A column that begins at the test cut-off tells the cut-off apart, not the customers.
    features = json.loads(rows(con, "select parameters from churn")[0]["parameters"])["features"]
    assert "begun_late" not in features
    explained = rows(con, "from churn_explain_predict('cutoffs', top_k_features := 9) limit 50")
    for item in explained:
        parts = sum(part["attribution"] for part in item["top_feature_attributions"])
        assert item["baseline_prediction_value"] + parts == pytest.approx(item["prediction_value"])


def test_of_many_rows_some_are_drawn_and_all_judge() -> None:
    con = connect()
    cutoffs(con, 1000)
    outcome = fit(con, "churn", "select * from cutoffs", max_training_rows=1500, **CHURN)
    assert "of 3,000 training rows were drawn (max_training_rows)" in " ".join(outcome.log)
    tested = {
        item["candidate"]: item for item in rows(con, "from churn__comparison where role = 'test'")
    }
    for item in tested.values():
        assert 1350 < item["training_row_count"] < 1650
        assert item["row_count"] == 1000
    assert tested["logistic_regression"]["log_loss"] < tested["prior"]["log_loss"]
    assert rows(con, "from duckdb_tables() where temporary") == []


def test_labels_of_the_test_cutoff_teach_nothing() -> None:
    con = connect()
    cutoffs(con, 300)
    con.execute("create table turned as select * replace (is_churned <> is_test as is_churned) "
                "from cutoffs")  # fmt: skip
    fit(con, "honest", "select * from cutoffs", **CHURN)
    fit(con, "turned_round", "select * from turned", **CHURN)
    query = "select predicted_is_churned_probs[1].prob from {}_predict('cutoffs') order by all"
    np.testing.assert_array_equal(
        values(con, query.format("honest")), values(con, query.format("turned_round"))
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("select * from cutoffs limit 60", "training rows"),
        ("select * from cutoffs where not is_test", "no later cut-off"),
        ("select * replace (true as is_churned) from cutoffs", "same label"),
        ("select * from cutoffs where false", "no"),
    ],
)
def test_too_little_is_a_status(change: str, reason: str) -> None:
    con = connect()
    cutoffs(con, 100)
    outcome = fit(con, "small", change, **CHURN)
    assert outcome.status == "insufficient_data", outcome
    assert reason in " ".join(outcome.warnings)
    assert rows(con, "from small_predict('cutoffs')") == []
    assert rows(con, "from small_explain_predict('cutoffs', top_k_features := 3)") == []
    assert rows(con, "from small__comparison") == []


def test_odd_values_do_not_break_a_fit() -> None:
    con = connect()
    cutoffs(con, 300, "case when customer_id = 7 then 50000 when customer_id = 8 then -1e6 end")
    assert fit(con, "odd", "select * from cutoffs", **CHURN).status == "trained"
    probabilities = values(
        con, "select predicted_is_churned_probs[1].prob from odd_predict('cutoffs')"
    )
    assert np.isfinite(probabilities).all()
    assert ((probabilities > 0) & (probabilities < 1)).all()


def test_identical_customers_are_a_status() -> None:
    con = connect()
    cutoffs(con, 300)
    con.execute(
        "create table same as select * replace (1.0 as recency_days, 1.0 as spend, 'a' as segment) "
        "from cutoffs"
    )
    outcome = fit(con, "alike", "select * from same", **CHURN)
    assert outcome.status == "insufficient_data"
    assert "varies" in " ".join(outcome.warnings)


def test_log_odds_stay_finite() -> None:
    assert np.isfinite(log_odds(np.array([0.0, 0.5, 1.0]))).all()


def experiment(con: duckdb.DuckDBPyConnection, customers: int, effect: str) -> None:
    con.execute(f"""
    create or replace table experiment as
    with rows as (
        select
            c as customer_id, hash(c) % 2 = 0 as is_treated, hash(c, 'x') % 1000 / 1000.0 as x,
            hash(c, 'z') % 1000 / 1000.0 as z, hash(c, 'luck') % 100000 / 100000.0 as luck
        from range({customers}) as t(c)
    )
    select customer_id, is_treated, x, z, luck < 0.1 + 0.4 * z
        + case when is_treated then {effect} else 0 end as has_ordered from rows
    """)


UPLIFT: dict[str, Any] = {
    "model_type": "uplift_classifier",
    "input_label_cols": ["has_ordered"],
    "treatment_col": "is_treated",
    "data_split_method": "RANDOM",
    "data_split_eval_fraction": 0.5,
    "entity_cols": ["customer_id"],
}


def test_uplift_finds_who_is_changed_and_not_who_responds() -> None:
    con = connect()
    experiment(con, 6000, "0.4 * x")
    fit(con, "offer", "select * from experiment", **UPLIFT)
    compared = {item["candidate"]: item for item in rows(con, "from offer__comparison")}
    champion = next(item for item in compared.values() if item["is_champion"])
    assert champion["has_gain"]
    assert champion["qini"] > compared["response"]["qini"]
    correlation = rows(con, "select corr(uplift, x) as x, corr(response_probability, z) as z "
                       "from offer_uplift('experiment')")[0]  # fmt: skip
    assert correlation["x"] > 0.7
    assert correlation["z"] > 0.7
    assert rows(con, "select scoring_difference as d from offer")[0]["d"] < 1e-9


def test_uplift_says_when_there_is_no_gain() -> None:
    con = connect()
    experiment(con, 3000, "0")
    outcome = fit(con, "nothing", "select * from experiment", **UPLIFT)
    assert "no gain" in " ".join(outcome.log)
    assert rows(con, "select distinct has_gain as g from nothing_uplift('experiment')") == [
        {"g": False}
    ]


def test_uplift_of_one_arm_is_a_status() -> None:
    con = connect()
    experiment(con, 1000, "0")
    outcome = fit(con, "one_arm", "select * from experiment where is_treated", **UPLIFT)
    assert outcome.status == "insufficient_data"
    assert rows(con, "from one_arm_uplift('experiment')") == []


def test_qini_by_hand() -> None:
    # Treated responder, untreated non-responder, treated non-responder, untreated responder.
    score, treated = np.array([4.0, 3, 2, 1]), np.array([1.0, 0, 1, 0])
    outcome = np.array([1.0, 0, 0, 1])
    # Extra responses of the treated after each row: 1, 1, 1, 1 - 1 x 2 / 2 = 0, over four rows.
    assert qini(score, treated, outcome) == pytest.approx((0.25 + 0.25 + 0.25 + 0) / 4)
    assert uplift_at(score, treated, outcome, 0.5) == 1.0
    assert qini(-score, treated, outcome) < 0
