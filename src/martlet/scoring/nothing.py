"""Functions of a version without enough data, beside predict and evaluate: columns and no rows.

What reads a model must build on a day without data too: a view over ML.WEIGHTS finds its columns.
"""

from __future__ import annotations

from collections.abc import Mapping

from martlet.estimators.base import Estimator, Label
from martlet.options import Options
from martlet.scoring.chain import inputs
from martlet.sqltext import identifier

__all__ = ["no_answers", "no_rows", "unanswered"]

_CATEGORIES = "struct(category varchar, value double)[]"
_COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")
_RATES = ("threshold", "recall", "false_positive_rate")
_WEIGHTS = {
    "processed_input": "varchar",
    "weight": "double",
    "category_weights": "struct(category varchar, weight double)[]",
}
_ADVANCED = {
    "processed_input": "varchar",
    "category": "varchar",
    **dict.fromkeys(("weight", "standard_error", "p_value"), "double"),
}
_VALUES = {
    "feature": "varchar",
    "numerical_value": "double",
    "categorical_value": _CATEGORIES,
}
_CENTROIDS = {"centroid_id": "bigint", **_VALUES}
_COMPONENTS = {"principal_component_id": "bigint", **_VALUES}
_COMPONENT_INFO = {
    "principal_component_id": "bigint",
    **dict.fromkeys(
        ("eigenvalue", "explained_variance_ratio", "cumulative_explained_variance_ratio"), "double"
    ),
}
_IMPORTANCE = {
    "feature": "varchar",
    **dict.fromkeys(("importance_weight", "importance_gain", "importance_cover"), "double"),
}
_ROC = dict.fromkeys(_RATES, "double") | dict.fromkeys(_COUNTS, "bigint")
_FAR = {"is_anomaly": "boolean", "normalized_distance": "double", "centroid_id": "bigint"}
_ODD = {"is_anomaly": "boolean", "mean_squared_error": "double"}
_ATTRIBUTIONS = {"feature": "varchar", "attribution": "double"}


def no_rows(columns: Mapping[str, str], arguments: str = "input") -> str:
    """Return the text of a function with typed columns and no rows.

    Parameters
    ----------
    columns : mapping of str to str
        DuckDB type by name. With the argument ``input`` its columns come first.
    arguments : str
        What stands between the brackets.
    """
    listed = _nulls(columns)
    if arguments.split(",")[0].strip() == "input":
        given = inputs(*columns)
        return (
            f"({arguments}) as table (select {given}, {listed} from query_table(input) where false)"
        )
    return f"({arguments}) as table (select {listed} where false)"


def no_answers(columns: Mapping[str, str], *arguments: str) -> str:
    """Return the text of a function that takes rows and would give others: it has none.

    Parameters
    ----------
    columns : mapping of str to str
        DuckDB type by name.
    *arguments : str
        What the function takes besides ``input``.
    """
    return (
        f"({', '.join(('input', *arguments))}) as table (select {_nulls(columns)} "
        "from query_table(input) where false)"
    )


def unanswered(estimator: Estimator, label: Label | None, options: Options) -> dict[str, list[str]]:
    """Return the functions that a version of this type and these options would have.

    ML.TRANSFORM and ML.TRIAL_INFO are made by the writer, who knows the rows and the search.

    Parameters
    ----------
    estimator : Estimator
        The type.
    label : Label or None
        The label; a confusion matrix has no column for classes that nobody has seen.
    options : Options
        The options.
    """
    kind, found = estimator.model_type, dict[str, list[str]]()
    standardize = "standardize := false"
    if kind in ("linear_reg", "logistic_reg"):
        found["weights"] = [no_rows(_WEIGHTS, standardize)]
        if options.get("calculate_p_values"):
            found["advanced_weights"] = [no_rows(_ADVANCED, standardize)]
    elif kind == "kmeans":
        found["centroids"] = [no_rows(_CENTROIDS, standardize)]
        found["detect_anomalies"] = [_before_input(_FAR, "input, contamination")]
    elif kind == "pca":
        found["principal_components"] = [no_rows(_COMPONENTS, "")]
        found["principal_component_info"] = [no_rows(_COMPONENT_INFO, "")]
        found["detect_anomalies"] = [_before_input(_ODD, "input, contamination")]
    elif kind.startswith(("boosted_tree", "random_forest")):
        found["feature_importance"] = [no_rows(_IMPORTANCE, "")]
    if estimator.task == "classification" and label is not None:
        matrix = {"expected_label": label.type}
        found["confusion_matrix"] = [no_answers(matrix, "threshold := 0.5"), no_rows(matrix, "")]
        found["roc_curve"] = [no_answers(_ROC, "thresholds := null"), no_rows(_ROC, "")]
    if options.get("enable_global_explain") and label and not kind.startswith("dnn"):
        found["global_explain"] = [no_rows(_ATTRIBUTIONS, "")]
        if estimator.task == "classification":
            by_class = {label.name: label.type, **_ATTRIBUTIONS}
            found["global_explain_by_class"] = [no_rows(by_class, "")]
    return found


def _nulls(columns: Mapping[str, str]) -> str:
    return ", ".join(
        f"cast(null as {kind}) as {identifier(name)}" for name, kind in columns.items()
    )


def _before_input(columns: Mapping[str, str], arguments: str) -> str:
    """Return a function whose own columns come before those of the rows."""
    listed = _nulls(columns)
    rows = f"select {listed}, {inputs(*columns)} from query_table(input) where false"
    return f"({arguments}) as table ({rows})"
