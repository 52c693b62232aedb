"""The compiled SQL says what scikit-learn says, also for hostile rows."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from ml_support import HOSTILE, TRAINING, columns, connect, encoded, fit, parameters, rows

FEATURES = "id, x, n, colour, flag"


@pytest.fixture(scope="module")
def con():
    con = connect()
    con.execute(TRAINING)
    con.execute(HOSTILE)
    common = {"entity_cols": ["id"], "data_split_method": "NO_SPLIT"}
    fit(
        con,
        "line",
        f"select {FEATURES}, y from training",
        model_type="linear_reg",
        labels="y",
        **common,
    )
    fit(
        con,
        "pair",
        f"select {FEATURES}, two from training",
        model_type="logistic_reg",
        labels="two",
        **common,
    )
    fit(
        con,
        "trio",
        f"select {FEATURES}, three from training",
        model_type="logistic_reg",
        labels="three",
        **common,
    )
    fit(
        con,
        "groups",
        f"select {FEATURES} from training",
        model_type="kmeans",
        num_clusters=4,
        entity_cols=["id"],
    )
    fit(
        con,
        "angles",
        f"select {FEATURES} from training",
        model_type="kmeans",
        num_clusters=3,
        distance_type="cosine",
        entity_cols=["id"],
    )
    fit(
        con,
        "axes",
        f"select {FEATURES} from training",
        model_type="pca",
        pca_explained_variance_ratio=0.8,
        entity_cols=["id"],
    )
    return con


def close(found, wanted) -> None:
    found, wanted = np.asarray(found, float), np.asarray(wanted, float)
    same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.abs(found - wanted) <= 1e-9 * np.maximum(1, np.abs(wanted))
    assert (same | near).all(), (found, wanted)


@pytest.mark.parametrize("table", ["training", "hostile"])
def test_linear_regression_equals_scikit_learn(con, table):
    from sklearn.linear_model import LinearRegression

    model = LinearRegression()
    fitted = parameters(con, "line")
    model.coef_, model.intercept_ = np.array(fitted["weights"][0]), fitted["intercept"][0]
    found = con.execute(f"select predicted_y from line_predict('{table}') order by id").fetchall()
    close([value for (value,) in found], model.predict(encoded(con, table)))


def test_linear_regression_is_the_least_squares_fit(con):
    from sklearn.linear_model import LinearRegression

    matrix = encoded(con, "training")
    target = [row["y"] for row in rows(con, "select y from training order by id")]
    wanted = LinearRegression().fit(matrix, target).predict(matrix)
    found = con.execute("select predicted_y from line_predict('training') order by id").fetchall()
    assert [value for (value,) in found] == pytest.approx(list(wanted), abs=1e-9)


@pytest.mark.parametrize("table", ["training", "hostile"])
@pytest.mark.parametrize("name", ["pair", "trio"])
def test_logistic_regression_equals_scikit_learn(con, name, table):
    from sklearn.linear_model import LogisticRegression

    label, classes = ("two", ["no", "yes"]) if name == "pair" else ("three", ["a", "b", "c"])
    model = LogisticRegression()
    fitted = parameters(con, name)
    model.coef_, model.intercept_ = np.array(fitted["weights"]), np.array(fitted["intercept"])
    model.classes_ = np.array(classes)
    matrix = encoded(con, table)
    wanted = model.predict_proba(matrix)
    query = f"select predicted_{label} as p, predicted_{label}_probs as s "
    query += f"from {name}_predict('{table}')"
    found = rows(con, query + " order by id")
    # Labels go in descending order: element 0 is the positive class.
    assert [entry["label"] for entry in found[0]["s"]] == classes[::-1]
    close([[entry["prob"] for entry in row["s"]][::-1] for row in found], wanted)
    assert [row["p"] for row in found] == list(model.predict(matrix))


def test_coefficients_score_a_row_by_themselves(con):
    table = "select id, x, n, case when id % 2 = 0 then '{predict}' else 'b' end as kind, two "
    table += "from training where x is not null and n is not null"
    fit(con, "plain", table, model_type="logistic_reg", input_label_cols=["two"],
        entity_cols=["id"])  # fmt: skip
    (found,) = rows(con, "from plain_coefficients()")
    columns = json.loads(found["columns"])
    assert columns[:2] == ["n", "x"] or columns[:2] == ["x", "n"]
    assert ["kind", "{predict}"] in columns
    con.execute(f"create or replace table asked as {table} limit 50")
    for row in rows(con, "from plain_predict('asked')"):
        values = [
            row[name] if isinstance(name, str) else float(row[name[0]] == name[1])
            for name in columns
        ]
        terms = zip(values, found["slopes"], found["centres"], strict=True)
        odds = found["intercept"] + sum(value * slope - centre for value, slope, centre in terms)
        share = {entry["label"]: entry["prob"] for entry in row["predicted_two_probs"]}["yes"]
        assert 1 / (1 + np.exp(-odds)) == pytest.approx(share, rel=1e-9)


@pytest.mark.parametrize("table", ["training", "hostile"])
def test_kmeans_equals_scikit_learn(con, table):
    from sklearn.metrics import pairwise_distances

    matrix = encoded(con, table)
    wanted = pairwise_distances(matrix, np.array(parameters(con, "groups")["centroids"]))
    # scikit-learn's fast formula cancels for rows far out; the definition does not.
    exact = np.array(
        [[math.dist(p, c) for c in parameters(con, "groups")["centroids"]] for p in matrix]
    )
    near = np.abs(wanted - exact) <= 1e-6 * np.maximum(1, exact)
    assert near.all()
    found = rows(con, f"from groups_predict('{table}') order by id")
    for row, distances in zip(found, exact, strict=True):
        order = np.argsort(distances, kind="stable")
        entries = row["NEAREST_CENTROIDS_DISTANCE"]
        close([entry["DISTANCE"] for entry in entries], distances[order])
        assert row["CENTROID_ID"] == 1 + int(distances.argmin())


@pytest.mark.parametrize("table", ["training", "hostile"])
def test_cosine_kmeans_equals_the_definition(con, table):
    centroids = np.array(parameters(con, "angles")["centroids"])
    matrix = encoded(con, table)
    found = rows(con, f"from angles_predict('{table}') order by id")
    for row, point in zip(found, matrix, strict=True):
        size = np.linalg.norm(point) * np.linalg.norm(centroids, axis=1)
        wanted = np.sqrt(np.clip(1 - centroids @ point / np.where(size > 0, size, 1), 0, None))
        listed = {e["CENTROID_ID"]: e["DISTANCE"] for e in row["NEAREST_CENTROIDS_DISTANCE"]}
        # The square root near 0 turns 1e-16 into 1e-8.
        assert [listed[i] for i in (1, 2, 3)] == pytest.approx(list(wanted), abs=2e-8)


@pytest.mark.parametrize("table", ["training", "hostile"])
def test_principal_components_equal_numpy(con, table):
    components = np.array(parameters(con, "axes")["components"])
    names = [f"principal_component_{i + 1}" for i in range(len(components))]
    assert columns(con, "from axes_predict('training')") == names
    found = rows(con, f"select * from axes_predict_with_input('{table}') order by id")
    close([[row[name] for name in names] for row in found], encoded(con, table) @ components.T)


def test_a_function_takes_a_table_a_view_a_name_with_schema_and_a_cte(con):
    con.execute("create or replace view looked as from training limit 3")
    for name in ("training", "main.training", '"memory"."main"."training"', "looked"):
        assert con.execute(f"select count(*) from line_predict('{name}')").fetchall()[0][0] > 0
    found = con.execute(
        "with some_rows as (select * from training where id = 5), "
        "scored as (select * from line_predict('some_rows')) select id from scored"
    ).fetchall()
    assert found == [(5,)]


def test_columns_named_like_parameters_or_predictions_do_no_harm():
    con = connect()
    con.execute(
        'create table odd as select sin(i) as input, cos(i) as threshold, i % 3 as "select", '
        "'a''b' || i % 2 as \"quo\"\"ted\", sin(i) > 0 as y from range(300) as r(i)"
    )
    fit(
        con,
        "odd_model",
        "from odd",
        model_type="logistic_reg",
        labels="y",
        data_split_method="NO_SPLIT",
    )
    (found,) = rows(con, "from odd_model_evaluate('odd', threshold := 0.5)")
    assert found["accuracy"] > 0.9
    con.execute("create table again as select *, 'mine' as predicted_y from odd")
    assert columns(con, "from odd_model_predict('again')").count("predicted_y") == 1


def test_metrics_equal_scikit_learn(con):
    from sklearn import metrics

    found = rows(
        con,
        "select two, predicted_two as p, predicted_two_probs as s from pair_predict('training')",
    )
    truth = np.array([row["two"] == "yes" for row in found])
    score = np.array([row["s"][0]["prob"] for row in found])
    for threshold in (0.5, 0.3):
        guess = score > threshold
        (got,) = rows(con, f"from pair_evaluate('training', threshold := {threshold})")
        assert got == pytest.approx(
            {
                "precision": metrics.precision_score(truth, guess),
                "recall": metrics.recall_score(truth, guess),
                "accuracy": metrics.accuracy_score(truth, guess),
                "f1_score": metrics.f1_score(truth, guess),
                "log_loss": metrics.log_loss(truth, score),
                "roc_auc": metrics.roc_auc_score(truth, score),
            },
            abs=1e-12,
        )
    found = rows(
        con,
        "select three, predicted_three as p, predicted_three_probs as s "
        "from trio_predict('training')",
    )
    truth = [row["three"] for row in found]
    guess = [row["p"] for row in found]
    score = np.array([[e["prob"] for e in row["s"]][::-1] for row in found])
    (got,) = rows(con, "from trio_evaluate('training')")
    assert got["precision"] == pytest.approx(
        metrics.precision_score(truth, guess, average="macro"), abs=1e-12
    )
    assert got["recall"] == pytest.approx(
        metrics.recall_score(truth, guess, average="macro"), abs=1e-12
    )
    assert got["f1_score"] == pytest.approx(
        metrics.f1_score(truth, guess, average="macro"), abs=1e-12
    )
    assert got["roc_auc"] == pytest.approx(
        metrics.roc_auc_score(truth, score, multi_class="ovr", average="macro"), abs=1e-12
    )
    matrix = [[row[c] for c in "abc"] for row in rows(con, "from trio_confusion_matrix()")]
    assert (np.array(matrix) == metrics.confusion_matrix(truth, guess)).all()


def test_roc_curve_at_given_thresholds(con):
    found = rows(con, "from pair_roc_curve('training', thresholds := [0.25, 0.75])")
    assert [row["threshold"] for row in found] == [0.75, 0.25]
    for row in found:
        query = f"select count(*) from pair_predict('training', threshold := {row['threshold']}) "
        hits = con.execute(query + "where two = 'yes' and predicted_two = 'yes'").fetchall()[0][0]
        assert row["true_positives"] == hits
        assert row["recall"] == row["true_positives"] / (
            row["true_positives"] + row["false_negatives"]
        )


def test_attributions_add_up_to_the_prediction(con):
    for name, link in (("line", None), ("pair", "two"), ("trio", "three")):
        found = rows(con, f"from {name}_explain_predict('training', top_k_features := 99)")
        for row in found[:50]:
            shares = sum(e["attribution"] for e in row["top_feature_attributions"])
            assert row["baseline_prediction_value"] + shares == pytest.approx(
                row["prediction_value"]
            )
            assert row["approximation_error"] == 0
            if link is None:
                assert row["predicted_y"] == pytest.approx(row["prediction_value"])
    found = rows(con, "from line_explain_predict('training', top_k_features := 2)")
    assert {len(row["top_feature_attributions"]) for row in found} == {2}
    sizes = [abs(e["attribution"]) for e in found[0]["top_feature_attributions"]]
    assert sizes == sorted(sizes, reverse=True)


def test_the_largest_attributions_come_first_and_ties_keep_the_order_of_the_features(con):
    whole = rows(con, "from line_explain_predict('training', top_k_features := 99) order by id")
    for top in (0, 1, 3):
        found = rows(
            con, f"from line_explain_predict('training', top_k_features := {top}) order by id"
        )
        for all_of_them, some in zip(whole, found, strict=True):
            assert some["top_feature_attributions"] == all_of_them["top_feature_attributions"][:top]
    # A constant column has no weight: three equal sizes.
    con.execute(
        "create or replace table flat as "
        "select id, 5.0 as c, 5.0 as b, 5.0 as a, x, y from training"
    )
    fit(con, "even", "from flat", model_type="linear_reg", labels="y", entity_cols=["id"])
    for row in rows(con, "from even_explain_predict('flat')"):
        entries = row["top_feature_attributions"]
        assert [entry["feature"] for entry in entries if entry["feature"] != "x"] == list("cba")
