"""Every function's columns: names, types and order, written out from BigQuery ML's reference.

One table, one row a function and kind of model. FLOAT64 is DOUBLE here, INT64 BIGINT, STRING
VARCHAR, BOOL BOOLEAN, ARRAY<STRUCT<..>> a list of structs.
"""

from __future__ import annotations

from typing import Any

import pytest

from macro_support import render
from ml_support import TRAINING, connect, fit

#: The rows every function is given, and their columns.
GIVEN = "select id, x, n, colour, flag, two, three, digit, y from training"
INPUTS = (
    "id BIGINT, x DOUBLE, n BIGINT, colour VARCHAR, flag BOOLEAN, two VARCHAR, three VARCHAR, "
    "digit BIGINT, y DOUBLE"
)
FEATURES = "select id, x, n, colour, {} from training"

#: name: (model type, label, options)
MODELS: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "line": ("linear_reg", "y", {"calculate_p_values": True, "enable_global_explain": True,
                                 "category_encoding_method": "DUMMY_ENCODING"}),
    "whole": ("linear_reg", "digit", {}),
    "pair": ("logistic_reg", "two", {"enable_global_explain": True}),
    "digits": ("logistic_reg", "digit", {}),
    "trio": ("logistic_reg", "three", {"enable_global_explain": True}),
    "truth": ("logistic_reg", "flag", {}),
    "trees": ("boosted_tree_regressor", "y", {"max_iterations": 2, "enable_global_explain": True}),
    "tree_pair": ("boosted_tree_classifier", "digit", {"max_iterations": 2}),
    "tree_trio": ("boosted_tree_classifier", "three", {"max_iterations": 2,
                                                       "enable_global_explain": True}),
    "forest": ("random_forest_regressor", "y", {"num_parallel_tree": 2}),
    "forest_trio": ("random_forest_classifier", "three", {"num_parallel_tree": 2}),
    "net": ("dnn_regressor", "y", {"hidden_units": [2], "max_iterations": 2}),
    "net_trio": ("dnn_classifier", "three", {"hidden_units": [2], "max_iterations": 2}),
    "groups": ("kmeans", None, {"num_clusters": 7}),
    "axes": ("pca", None, {"num_principal_components": 2}),
    "tuned": ("linear_reg", "y", {"num_trials": 2, "data_split_method": "random"}),
    "tuned_pair": ("logistic_reg", "two", {"num_trials": 2, "data_split_method": "random"}),
    "tuned_groups": ("kmeans", None, {"num_trials": 2}),
    "prepared": ("transform_only", None, {"transform": [
        "ML.STANDARD_SCALER(x) OVER () as x_scaled", "ML.LABEL_ENCODER(colour) OVER () as code",
        "ML.BUCKETIZE(n, [5, 10]) as n_bin", "ML.ONE_HOT_ENCODER(colour) OVER () as shown"]}),
    "stars": ("matrix_factorization", None, {"num_factors": 2}),
    "clicks": ("matrix_factorization", None, {"num_factors": 2, "feedback_type": "implicit"}),
}  # fmt: skip

REGRESSION = (
    "mean_absolute_error DOUBLE, mean_squared_error DOUBLE, mean_squared_log_error DOUBLE, "
    "median_absolute_error DOUBLE, r2_score DOUBLE, explained_variance DOUBLE"
)
CLASSIFICATION = (
    "precision DOUBLE, recall DOUBLE, accuracy DOUBLE, f1_score DOUBLE, log_loss DOUBLE, "
    "roc_auc DOUBLE"
)
CLUSTERING = "davies_bouldin_index DOUBLE, mean_squared_distance DOUBLE"
RANKING = (
    "mean_average_precision DOUBLE, mean_squared_error DOUBLE, "
    "normalized_discounted_cumulative_gain DOUBLE, average_rank DOUBLE"
)
ROC = (
    "threshold DOUBLE, recall DOUBLE, false_positive_rate DOUBLE, true_positives BIGINT, "
    "false_positives BIGINT, true_negatives BIGINT, false_negatives BIGINT"
)
COURSE = (
    "training_run BIGINT, iteration BIGINT, loss DOUBLE, eval_loss DOUBLE, learning_rate DOUBLE, "
    "duration_ms BIGINT"
)
CLUSTER_COURSE = (
    "training_run BIGINT, iteration BIGINT, loss DOUBLE, duration_ms BIGINT, cluster_info "
    "STRUCT(centroid_id BIGINT; cluster_radius DOUBLE; cluster_size BIGINT)[]"
)
INFORMATION = (
    "input VARCHAR, min DOUBLE, max DOUBLE, mean DOUBLE, median DOUBLE, stddev DOUBLE, "
    "category_count BIGINT, null_count BIGINT, dimension BIGINT"
)
WEIGHTS = (
    "processed_input VARCHAR, weight DOUBLE, "
    "category_weights STRUCT(category VARCHAR; weight DOUBLE)[]"
)
SHARES = "top_feature_attributions STRUCT(feature VARCHAR; attribution DOUBLE)[]"
EXPLAINED = (
    f"{SHARES}, baseline_prediction_value DOUBLE, prediction_value DOUBLE, "
    "approximation_error DOUBLE"
)
IMPORTANCE = (
    "feature VARCHAR, importance_weight DOUBLE, importance_gain DOUBLE, importance_cover DOUBLE"
)
VALUES = (
    "feature VARCHAR, numerical_value DOUBLE, "
    "categorical_value STRUCT(category VARCHAR; value DOUBLE)[]"
)
FACTORS = (
    "processed_input VARCHAR, feature VARCHAR, "
    "factor_weights STRUCT(factor BIGINT; weight DOUBLE)[], intercept DOUBLE"
)
DRIFT = "input VARCHAR, metric VARCHAR, threshold DOUBLE, value DOUBLE, is_anomaly BOOLEAN"
DESCRIPTION = (
    "name VARCHAR, num_rows BIGINT, num_nulls BIGINT, num_zeros BIGINT, min VARCHAR, max VARCHAR, "
    "mean DOUBLE, stdev DOUBLE, median DOUBLE, quantiles DOUBLE[], unique BIGINT, "
    "avg_string_length DOUBLE, num_values BIGINT, "
    "top_values STRUCT(value VARCHAR; count BIGINT)[], min_array_length BIGINT, "
    "max_array_length BIGINT, avg_array_length DOUBLE, total_array_length BIGINT, "
    "array_length_quantiles BIGINT[], dimension BIGINT"
)


def probabilities(label: str, kind: str) -> str:
    """The predicted class has the type of the label, and so has `label` in the list."""
    return f"predicted_{label} {kind}, predicted_{label}_probs STRUCT(label {kind}; prob DOUBLE)[]"


def trial(hyperparameters: str, metrics: str) -> str:
    listed = metrics.replace(",", ";")
    return (
        f"trial_id BIGINT, hyperparameters STRUCT({hyperparameters}), "
        f"hparam_tuning_evaluation_metrics STRUCT({listed}), training_loss DOUBLE, "
        "eval_loss DOUBLE, status VARCHAR, error_message VARCHAR, is_optimal BOOLEAN"
    )


ONE_INPUT: dict[str, Any] = {"input": "given"}
RATED: dict[str, Any] = {"input": "ratings"}

#: (macro, its arguments, the models, the columns); `{label}` and `{type}` are the label's.
TABLE: list[tuple[str, dict[str, Any], str, str]] = [
    # A regression predicts FLOAT64, also where the label holds whole numbers.
    ("ml_predict", ONE_INPUT, "line trees forest net tuned", f"{INPUTS}, predicted_y DOUBLE"),
    ("ml_predict", ONE_INPUT, "whole", f"{INPUTS}, predicted_digit DOUBLE"),
    ("ml_predict", ONE_INPUT, "pair tuned_pair", f"{INPUTS}, {probabilities('two', 'VARCHAR')}"),
    ("ml_predict", ONE_INPUT, "digits tree_pair", f"{INPUTS}, {probabilities('digit', 'BIGINT')}"),
    ("ml_predict", ONE_INPUT, "truth", f"{INPUTS}, {probabilities('flag', 'BOOLEAN')}"),
    ("ml_predict", ONE_INPUT, "trio tree_trio forest_trio net_trio",
     f"{INPUTS}, {probabilities('three', 'VARCHAR')}"),
    ("ml_predict", {**ONE_INPUT, "threshold": 0.3}, "pair",
     f"{INPUTS}, {probabilities('two', 'VARCHAR')}"),
    ("ml_predict", ONE_INPUT, "groups tuned_groups",
     f"{INPUTS}, CENTROID_ID BIGINT, "
     "NEAREST_CENTROIDS_DISTANCE STRUCT(CENTROID_ID BIGINT; DISTANCE DOUBLE)[]"),
    ("ml_predict", ONE_INPUT, "axes",
     "principal_component_1 DOUBLE, principal_component_2 DOUBLE"),
    ("ml_predict", {**ONE_INPUT, "keep_original_columns": True}, "axes",
     f"principal_component_1 DOUBLE, principal_component_2 DOUBLE, {INPUTS}"),
    ("ml_evaluate", {}, "line whole trees forest net stars", REGRESSION),
    ("ml_evaluate", ONE_INPUT, "line trees forest net", REGRESSION),
    ("ml_evaluate", {}, "pair digits truth trio tree_pair tree_trio forest_trio net_trio",
     CLASSIFICATION),
    ("ml_evaluate", ONE_INPUT, "trio tree_trio forest_trio net_trio", CLASSIFICATION),
    ("ml_evaluate", {**ONE_INPUT, "threshold": 0.3}, "pair tree_pair", CLASSIFICATION),
    ("ml_evaluate", {}, "groups", CLUSTERING),
    ("ml_evaluate", ONE_INPUT, "groups", CLUSTERING),
    ("ml_evaluate", {}, "axes", "total_explained_variance_ratio DOUBLE"),
    ("ml_evaluate", ONE_INPUT, "axes", "total_explained_variance_ratio DOUBLE"),
    ("ml_evaluate", RATED, "stars", REGRESSION),
    ("ml_evaluate", {}, "clicks", RANKING),
    ("ml_evaluate", {}, "tuned", f"trial_id BIGINT, {REGRESSION}"),
    ("ml_evaluate", ONE_INPUT, "tuned_pair", f"trial_id BIGINT, {CLASSIFICATION}"),
    ("ml_evaluate", {}, "tuned_groups", f"trial_id BIGINT, {CLUSTERING}"),
    ("ml_confusion_matrix", {}, "pair", "expected_label VARCHAR, no BIGINT, yes BIGINT"),
    # Classes whose names are no identifiers are rewritten.
    ("ml_confusion_matrix", ONE_INPUT, "digits tree_pair",
     "expected_label BIGINT, _0 BIGINT, _1 BIGINT"),
    ("ml_confusion_matrix", ONE_INPUT, "trio tree_trio forest_trio net_trio",
     "expected_label VARCHAR, a BIGINT, b BIGINT, c BIGINT"),
    ("ml_confusion_matrix", {}, "tuned_pair",
     "trial_id BIGINT, expected_label VARCHAR, no BIGINT, yes BIGINT"),
    ("ml_roc_curve", {}, "pair digits tree_pair", ROC),
    ("ml_roc_curve", {**ONE_INPUT, "thresholds": [0.2, 0.8]}, "pair tree_pair", ROC),
    ("ml_roc_curve", {}, "tuned_pair", f"trial_id BIGINT, {ROC}"),
    ("ml_training_info", {}, "line pair trio trees tree_trio forest forest_trio net net_trio stars",
     COURSE),
    ("ml_training_info", {}, "groups", CLUSTER_COURSE),
    ("ml_training_info", {}, "tuned", f"trial_id BIGINT, {COURSE}"),
    ("ml_training_info", {}, "tuned_groups", f"trial_id BIGINT, {CLUSTER_COURSE}"),
    ("ml_feature_info", {}, "line pair trio trees forest net groups axes prepared", INFORMATION),
    ("ml_weights", {}, "line pair digits truth", WEIGHTS),
    ("ml_weights", {"standardize": True}, "line pair", WEIGHTS),
    ("ml_weights", {}, "trio", f"{WEIGHTS}, class_label VARCHAR"),
    ("ml_weights", {}, "tuned", f"trial_id BIGINT, {WEIGHTS}"),
    ("ml_weights", {}, "stars clicks", FACTORS),
    ("ml_advanced_weights", {}, "line",
     "processed_input VARCHAR, category VARCHAR, weight DOUBLE, standard_error DOUBLE, "
     "p_value DOUBLE"),
    ("ml_centroids", {}, "groups", f"centroid_id BIGINT, {VALUES}"),
    ("ml_centroids", {"standardize": True}, "groups", f"centroid_id BIGINT, {VALUES}"),
    ("ml_centroids", {}, "tuned_groups", f"trial_id BIGINT, centroid_id BIGINT, {VALUES}"),
    ("ml_principal_components", {}, "axes", f"principal_component_id BIGINT, {VALUES}"),
    ("ml_principal_component_info", {}, "axes",
     "principal_component_id BIGINT, eigenvalue DOUBLE, explained_variance_ratio DOUBLE, "
     "cumulative_explained_variance_ratio DOUBLE"),
    ("ml_feature_importance", {}, "trees tree_pair tree_trio forest forest_trio", IMPORTANCE),
    ("ml_explain_predict", ONE_INPUT, "line trees forest",
     f"predicted_y DOUBLE, {EXPLAINED}, {INPUTS}"),
    ("ml_explain_predict", ONE_INPUT, "digits tree_pair",
     f"predicted_digit BIGINT, probability DOUBLE, {EXPLAINED}, {INPUTS}"),
    ("ml_explain_predict", {**ONE_INPUT, "top_k_features": 2}, "trio tree_trio forest_trio",
     f"predicted_three VARCHAR, probability DOUBLE, {EXPLAINED}, {INPUTS}"),
    ("ml_global_explain", {}, "line pair trio trees tree_trio",
     "feature VARCHAR, attribution DOUBLE"),
    ("ml_global_explain", {"class_level_explain": True}, "pair",
     "two VARCHAR, feature VARCHAR, attribution DOUBLE"),
    ("ml_global_explain", {"class_level_explain": True}, "trio tree_trio",
     "three VARCHAR, feature VARCHAR, attribution DOUBLE"),
    ("ml_detect_anomalies", {**ONE_INPUT, "contamination": 0.1}, "groups tuned_groups",
     f"is_anomaly BOOLEAN, normalized_distance DOUBLE, centroid_id BIGINT, {INPUTS}"),
    ("ml_detect_anomalies", {**ONE_INPUT, "contamination": 0.1}, "axes",
     f"is_anomaly BOOLEAN, mean_squared_error DOUBLE, {INPUTS}"),
    ("ml_trial_info", {}, "tuned", trial("l1_reg DOUBLE; l2_reg DOUBLE", REGRESSION)),
    ("ml_trial_info", {}, "tuned_groups", trial("num_clusters BIGINT", CLUSTERING)),
    ("ml_transform", ONE_INPUT, "prepared",
     "x_scaled DOUBLE, code BIGINT, n_bin VARCHAR, shown STRUCT(index BIGINT; value DOUBLE)[]"),
    ("ml_recommend", {}, "stars", "user BIGINT, item BIGINT, predicted_rating DOUBLE"),
    ("ml_recommend", {}, "clicks", "user BIGINT, item BIGINT, predicted_rating_confidence DOUBLE"),
    ("ml_recommend", RATED, "stars", "user BIGINT, item BIGINT, predicted_rating DOUBLE"),
    ("ml_validate_data_skew", ONE_INPUT, "line tree_trio groups", DRIFT),
]  # fmt: skip


@pytest.fixture(scope="module")
def con():
    con = connect()
    con.execute(TRAINING)
    con.execute("alter table training add column digit bigint")
    con.execute("update training set digit = cast(two = 'yes' as bigint)")
    con.execute(f"create view given as {GIVEN} limit 20")
    con.execute(
        'create table ratings as select i % 20 as "user", (i * 7) % 13 as item, '
        "cast(i % 5 + 1 as double) as rating from range(200) as r(i)"
    )
    for name, (kind, label, options) in MODELS.items():
        config = {"model_type": kind, **options}
        query = "select id, x, n, colour from training"
        if kind == "matrix_factorization":
            query = "from ratings"
        else:
            config["entity_cols"] = ["id"]
        if label:
            config |= {"labels": [label]} | {"data_split_method": "NO_SPLIT"} | options
            query = FEATURES.format(label) + f" where {label} is not null"
        fit(con, name, query, **config)
    return con


@pytest.mark.parametrize(("macro", "arguments", "models", "expected"), TABLE)
def test_columns_types_and_order(con, macro, arguments, models, expected):
    for model in models.split():
        given = dict(arguments)
        position = [given.pop("input")] if "input" in given else []
        relation = con.query(f"from {render(macro, model, *position, **given)}")
        found = [
            f"{name} {kind}".replace('"', "").replace(", ", "; ")
            for name, kind in zip(relation.columns, map(str, relation.types), strict=True)
        ]
        assert found == expected.split(", "), (macro, model)
        relation.fetchall()


def test_columns_of_the_functions_without_a_model(con):
    for macro, arguments, expected in (
        ("ml_describe_data", ("given",), DESCRIPTION),
        ("ml_validate_data_drift", ("given", "given"), DRIFT),
    ):
        relation = con.query(f"from {render(macro, *arguments)}")
        found = [
            f"{name} {kind}".replace('"', "").replace(", ", "; ")
            for name, kind in zip(relation.columns, map(str, relation.types), strict=True)
        ]
        assert found == expected.split(", ")


def test_a_version_has_the_same_columns(con):
    plain = con.query(f"from {render('ml_predict', 'trees', 'given')}")
    pinned = con.query(f"from {render('ml_predict', 'trees', 'given', version=1)}")
    assert (pinned.columns, pinned.types) == (plain.columns, plain.types)


def test_the_positive_class_comes_first_and_five_centroids_at_most(con):
    found = con.execute(
        "select distinct list_transform(predicted_digit_probs, lambda p: p.label) "
        f"from {render('ml_predict', 'digits', 'given')}"
    ).fetchall()
    assert found == [([1, 0],)]
    found = con.execute(
        "select distinct list_transform(predicted_three_probs, lambda p: p.label) "
        f"from {render('ml_predict', 'tree_trio', 'given')}"
    ).fetchall()
    assert found == [(["c", "b", "a"],)]
    found = con.execute(
        "select distinct len(NEAREST_CENTROIDS_DISTANCE) "
        f"from {render('ml_predict', 'groups', 'given')}"
    ).fetchall()
    assert found == [(5,)]
