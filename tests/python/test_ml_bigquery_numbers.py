"""The numbers that BigQuery ML gave on the penguins."""

from __future__ import annotations

import math

import duckdb
import numpy as np
import pytest

from ml_support import columns, fit, needs_penguins, parameters, penguins, rows

pytestmark = [needs_penguins, pytest.mark.real_data]

ASKED = """
create table asked as select * from (values
    ('Adelie Penguin (Pygoscelis adeliae)', 'Torgersen', 39.5, 18.8, 196, 3750, 'MALE'),
    ('Adelie Penguin (Pygoscelis adeliae)', 'Torgersen', 38.5, 17.2, 181, 5200, 'FEMALE'),
    ('Chinstrap penguin (Pygoscelis antarctica)', 'Dream', 37.9, 18.1, 188, 3325, 'FEMALE')
) as t(species, island, culmen_length_mm, culmen_depth_mm, flipper_length_mm, body_mass_g, sex)
"""


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    con = penguins()
    con.execute(ASKED)
    fit(
        con,
        "mass",
        "select * from penguins where body_mass_g is not null",
        model_type="LINEAR_REG",
        labels=["body_mass_g"],
        data_split_method="no_split",
    )
    fit(
        con,
        "sexes",
        "select * from penguins where sex is not null",
        model_type="logistic_reg",
        input_label_cols=["sex"],
        data_split_method="NO_SPLIT",
    )
    fit(con, "axes", "select * from penguins", model_type="pca", num_principal_components=3)
    fit(
        con,
        "groups",
        "select culmen_length_mm, culmen_depth_mm, flipper_length_mm, sex from penguins",
        model_type="kmeans",
        num_clusters=3,
    )
    return con


def test_linear_regression_gives_the_recorded_metrics(con):
    (found,) = rows(con, "from mass_evaluate()")
    assert found["mean_absolute_error"] == pytest.approx(227.012237, abs=5e-7)
    assert found["mean_squared_error"] == pytest.approx(81838.15989, abs=5e-6)
    assert found["mean_squared_log_error"] == pytest.approx(0.005070, abs=5e-7)
    assert found["median_absolute_error"] == pytest.approx(173.080816, abs=5e-7)
    assert found["r2_score"] == pytest.approx(0.872377, abs=5e-7)
    assert found["explained_variance"] == pytest.approx(0.872377, abs=5e-7)


def test_linear_regression_gives_the_recorded_predictions(con):
    found = con.execute(
        "select predicted_body_mass_g from mass_predict('asked') order by 1 desc"
    ).fetchall()
    assert [value for (value,) in found] == pytest.approx([4030.07, 3280.81, 3177.90], abs=0.005)


def test_linear_regression_gives_the_recorded_metrics_on_complete_rows(con):
    con.execute("create or replace view complete as from penguins where columns(*) is not null")
    (found,) = rows(con, "from mass_evaluate('complete')")
    assert list(found.values()) == pytest.approx(
        [225.817334, 80540.705944, 0.004972, 173.080816, 0.87529, 0.87529], rel=1e-4, abs=6e-7
    )
    assert found["mean_squared_error"] == pytest.approx(80540.705944, abs=5e-6)


def test_stored_metrics_are_those_of_the_same_rows(con):
    con.execute("create or replace view judged as from penguins where body_mass_g is not null")
    (stored,) = rows(con, "from mass_evaluate()")
    (given,) = rows(con, "from mass_evaluate('judged')")
    assert stored == pytest.approx(given, rel=1e-12)


def test_principal_components_have_the_recorded_eigenvalues(con):
    info = rows(con, "from axes_principal_component_info()")
    found = [row["eigenvalue"] for row in info]
    assert found == pytest.approx([3.278657, 1.270829, 1.125354], abs=5e-7)
    (total,) = rows(con, "from axes_evaluate()")
    assert total["total_explained_variance_ratio"] == pytest.approx(
        info[-1]["cumulative_explained_variance_ratio"], rel=1e-12
    )


def test_principal_components_have_the_recorded_loadings(con):
    found = rows(con, "from axes_principal_components() where principal_component_id = 0")
    numbers = {row["feature"]: row["numerical_value"] for row in found}
    flip = math.copysign(1.0, numbers["culmen_length_mm"])
    for name, value in {
        "culmen_length_mm": 0.401489,
        "culmen_depth_mm": -0.377482,
        "flipper_length_mm": 0.524052,
        "body_mass_g": 0.501174,
    }.items():
        assert numbers[name] * flip == pytest.approx(value, abs=5e-7)
    listed = {
        row["feature"]: {item["category"]: item["value"] * flip for item in values}
        for row in found
        if (values := row["categorical_value"])
    }
    assert listed["island"] == pytest.approx(
        {"Biscoe": 0.19761120114410635, "Dream": -0.11264736305259061,
         "Torgersen": -0.07065913511418596}, abs=1e-9,
    )  # fmt: skip
    assert listed["sex"] == pytest.approx(
        {".": 0.0015916894448071784, "MALE": 0.06869704739750442, "FEMALE": -0.052521171596813174,
         "_null_filler": -0.0034628622681684906}, abs=1e-9,
    )  # fmt: skip


def test_principal_component_anomalies_are_the_recorded_ones(con):
    found = rows(con, "from axes_detect_anomalies('asked', contamination := 0.25)")
    assert [row["mean_squared_error"] for row in found] == pytest.approx(
        [0.254188, 0.731243, 0.298889], abs=5e-7
    )
    assert all(row["is_anomaly"] for row in found)


def test_principal_component_anomalies_follow_the_recorded_recipe(con):
    """Residual sum of squares over 7 input columns, cut at the quantile of the training rows."""
    components = np.array(parameters(con, "axes")["components"])
    assert components @ components.T == pytest.approx(np.eye(3), abs=1e-12)
    found = rows(con, "from axes_detect_anomalies('penguins', contamination := 0.1)")
    errors = np.array([row["mean_squared_error"] for row in found])
    flags = np.array([row["is_anomaly"] for row in found])
    assert (flags == (errors > np.quantile(errors, 0.9))).all()
    # What the three components leave of the total variance, over the 7 columns.
    (info,) = rows(con, "select sum(eigenvalue) as e from axes_principal_component_info()")
    (ratio,) = rows(con, "from axes_evaluate()")
    left = info["e"] / ratio["total_explained_variance_ratio"] - info["e"]
    assert errors.mean() * 7 * 344 / 343 == pytest.approx(left, rel=1e-9)


def test_logistic_regression_is_within_the_recorded_tolerance(con):
    (found,) = rows(con, "from sexes_evaluate()")
    assert found["log_loss"] == pytest.approx(1.4988, rel=0.1)
    assert found["accuracy"] == pytest.approx(0.9252, rel=0.1)
    assert found["roc_auc"] == pytest.approx(0.9758, rel=0.1)
    # Macro averages count the class with a single row.
    assert columns(con, "from sexes_confusion_matrix()") == [
        "expected_label",
        "_",
        "FEMALE",
        "MALE",
    ]
    assert found["recall"] < 0.7 < found["accuracy"]


def test_kmeans_geometry_follows_the_recorded_recipe(con):
    """Mean squared distance, root mean squared scatter, radius, distance over radius."""
    fitted = parameters(con, "groups")
    centroids = np.array(fitted["centroids"])
    given = rows(con, "from groups_predict('penguins')")
    nearest = np.array([row["CENTROID_ID"] for row in given]) - 1
    distance = np.array([row["NEAREST_CENTROIDS_DISTANCE"][0]["DISTANCE"] for row in given])
    scatter = np.array([math.sqrt((distance[nearest == k] ** 2).mean()) for k in range(3)])
    gap = np.linalg.norm(centroids[:, None] - centroids[None], axis=2)
    index = np.mean(
        [max((scatter[i] + scatter[j]) / gap[i, j] for j in range(3) if j != i) for i in range(3)]
    )
    (found,) = rows(con, "from groups_evaluate()")
    assert found["mean_squared_distance"] == pytest.approx((distance**2).mean(), abs=1e-9)
    assert found["davies_bouldin_index"] == pytest.approx(index, abs=1e-9)
    assert fitted["radius"] == pytest.approx(scatter.tolist(), abs=1e-9)
    anomalies = rows(con, "from groups_detect_anomalies('penguins', 0.1)")
    every = np.array(
        [
            min(
                entry["DISTANCE"] / scatter[entry["CENTROID_ID"] - 1]
                for entry in row["NEAREST_CENTROIDS_DISTANCE"]
            )
            for row in given
        ]
    )
    assert [row["normalized_distance"] for row in anomalies] == pytest.approx(list(every), abs=1e-9)
    assert sum(row["is_anomaly"] for row in anomalies) == 35  # more than the 90% quantile of 344


#: What ML.CENTROIDS and ML.EVALUATE gave in the public tests of BigQuery DataFrames.
RECORDED_CENTROIDS = [
    [47.509677, 14.993548, 217.040123, {".": 1 / 124, "MALE": 61 / 124, "FEMALE": 59 / 124,
                                        "_null_filler": 3 / 124}],
    [38.207813, 18.03125, 187.992188, {"MALE": 0.34375, "FEMALE": 0.625, "_null_filler": 0.03125}],
    [47.036346, 18.834808, 197.1612, {"MALE": 63 / 92, "FEMALE": 26 / 92, "_null_filler": 3 / 92}],
]  # fmt: skip
JUDGED = """
create table judged as select * from (values
    (37.5, 18.5, 199, 'MALE'), (55.8, 19.8, 207, 'MALE'), (39.7, 18.9, 184, 'MALE'),
    (43.8, 13.9, 208, 'FEMALE')
) as t(culmen_length_mm, culmen_depth_mm, flipper_length_mm, sex)
"""


def test_kmeans_with_the_recorded_centroids_gives_the_recorded_metrics(monkeypatch):
    """Everything after the centroids is ours: encoding, geometry, table of centroids, metrics."""
    con = penguins()
    con.execute(JUDGED)
    numbers = ["culmen_length_mm", "culmen_depth_mm", "flipper_length_mm"]
    query = "select culmen_length_mm, culmen_depth_mm, flipper_length_mm, sex from penguins"
    fit(con, "own", query, model_type="kmeans", num_clusters=3)
    places = parameters(con, "own")["columns"]
    mean, deviation = (
        con.query(f"select {', '.join(f'{f}({n})' for n in numbers)} from penguins").fetchall()[0]
        for f in ("avg", "stddev_samp")
    )
    standardized = [
        dict(zip(numbers, (np.array(given) - mean) / deviation, strict=True))
        for *given, _ in RECORDED_CENTROIDS
    ]
    centroids = np.array(
        [
            [own[name] if name in own else shares.get(category, 0.0) for name, category in places]
            for own, (*_, shares) in zip(standardized, RECORDED_CENTROIDS, strict=True)
        ]
    )
    monkeypatch.setattr("martlet.estimators.kmeans._lloyd", lambda *given: (centroids, []))
    fit(con, "groups", query, model_type="kmeans", num_clusters=3)
    (found,) = rows(con, "from groups_evaluate('judged')")
    # The recorded centroids have 8 digits, the metrics 7.
    assert found["mean_squared_distance"] == pytest.approx(1.965944, rel=5e-6)
    assert found["davies_bouldin_index"] == pytest.approx(1.523606, rel=1e-6)
    shown = rows(con, "from groups_centroids()")
    for centroid, (*given, shares) in enumerate(RECORDED_CENTROIDS, start=1):
        own = {row["feature"]: row for row in shown if row["centroid_id"] == centroid}
        assert [own[name]["numerical_value"] for name in numbers] == pytest.approx(given, abs=1e-9)
        listed = {item["category"]: item["value"] for item in own["sex"]["categorical_value"]}
        assert listed == pytest.approx({name: shares.get(name, 0.0) for name in listed})


def test_kmeans_finds_a_fixed_point_of_lloyds_algorithm():
    con = penguins()
    fit(
        con,
        "groups",
        "select culmen_length_mm, culmen_depth_mm, flipper_length_mm, sex from penguins",
        model_type="kmeans",
        num_clusters=3,
        max_iterations=200,
        early_stop=False,
    )
    table = "from groups_predict('penguins') where CENTROID_ID = {}"
    for centroid in (1, 2, 3):
        (mean,) = rows(
            con,
            "select avg(coalesce(culmen_length_mm, m)) as v from ("
            + table.format(centroid)
            + "), (select avg(culmen_length_mm) as m from penguins)",
        )
        (own,) = rows(
            con,
            "select numerical_value as v from groups_centroids() "
            f"where centroid_id = {centroid} and feature = 'culmen_length_mm'",
        )
        assert own["v"] == pytest.approx(mean["v"], rel=1e-9)
