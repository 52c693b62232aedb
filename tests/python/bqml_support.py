"""Run converted BigQuery ML statements on DuckDB, with doubles in place of the ml_* macros.

A double returns a relation with the columns BigQuery ML's function has, so that the query around
it is really bound and run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import jinja2

from martlet.bqml import Conversion, ModelFile

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "bqml"

_METRICS = {
    "regression": "mean_absolute_error mean_squared_error mean_squared_log_error "
    "median_absolute_error r2_score explained_variance",
    "classification": "precision recall accuracy f1_score log_loss roc_auc",
    "kmeans": "davies_bouldin_index mean_squared_distance",
    "pca": "total_explained_variance_ratio",
    "arima": "mean_absolute_error mean_squared_error root_mean_squared_error "
    "mean_absolute_percentage_error symmetric_mean_absolute_percentage_error "
    "mean_absolute_scaled_error",
}
_WEIGHTED = "[{'category': 'x', 'weight': 0.5::double}]"
_FIXED = {
    "roc_curve": "0.5::double as threshold, 0.5::double as recall, .5::double as "
    "false_positive_rate, 1 as true_positives, 1 as false_positives, 1 as true_negatives, "
    "1 as false_negatives",
    "confusion_matrix": "'0' as expected_label, 1 as _0, 1 as _1",
    "training_info": "0 as training_run, 1 as iteration, .5::double as loss, .5::double as "
    "eval_loss, .1::double as learning_rate, 5 as duration_ms",
    "feature_info": "'x' as input, 0.0::double as min, 1.0::double as max, .5::double as mean, "
    ".5::double as median, .1::double as stddev, null::bigint as category_count, "
    "0 as null_count, null::bigint as dimension",
    "weights": f"'movieId' as processed_input, '1' as feature, 0.5::double as weight, {_WEIGHTED} "
    "as category_weights, [{'factor': 1, 'weight': 0.5::double}] as factor_weights, "
    ".5::double as intercept",
    "centroids": "1 as centroid_id, 'duration' as feature, 2.5::double as numerical_value, "
    "null::varchar as categorical_value",
    "principal_components": "0 as principal_component_id, 'V1' as feature, .5::double as "
    "numerical_value, null::varchar as categorical_value",
    "principal_component_info": "0 as principal_component_id, 1.5::double as eigenvalue, "
    ".5::double as explained_variance_ratio, .5::double as cumulative_explained_variance_ratio",
    "feature_importance": "'x' as feature, 3 as importance_weight, .5::double as "
    "importance_gain, .5::double as importance_cover",
    "global_explain": "'x' as feature, .5::double as attribution",
    "trial_info": "1 as trial_id, {'learn_rate': .1} as hyperparameters, true as is_optimal",
    "arima_evaluate": "'s0' as store, 1 as non_seasonal_p, .5::double as variance",
    "arima_coefficients": "'s0' as store, [.5::double] as ar_coefficients",
    "forecast": "'s0' as store, timestamptz '2020-01-05 00:00:00+00' as forecast_timestamp, "
    "7.5::double as forecast_value",
    "explain_forecast": "'s0' as store, .5::double as trend",
    "holiday_info": "'US' as region, 'Opening' as holiday_name",
    "describe_data": "'V1' as name, 20 as num_rows",
    "validate_data_drift": "'V1' as input, 'L_INFTY' as metric, .1::double as threshold, "
    ".2::double as value, true as is_anomaly",
}


class Doubles:
    """The Jinja world of a converted model: config, ref, source, var and the ml_* macros.

    Attributes
    ----------
    calls
        Each macro call as (function, model, data, options).
    config
        What the last rendered model has configured.
    """

    def __init__(self) -> None:
        self.models: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, str | None, Any, dict[str, Any]]] = []
        self.config: dict[str, Any] = {}

    def render(self, text: str) -> str:
        """Return the SQL of a model and keep its config."""
        world: dict[str, Any] = {
            "config": self._configure,
            "ref": lambda name: f"out.{name}",
            "source": lambda schema, table: f"{schema}.{table}",
            "var": lambda name, default: default,
        }
        environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
        for name in _NAMES:
            world[f"ml_{name}"] = self._macro(name)
        return environment.from_string(text).render(world)

    def _configure(self, **values: Any) -> str:
        self.config = values
        return ""

    def _macro(self, name: str) -> Callable[..., str]:
        def macro(first: str, second: str | None = None, **options: Any) -> str:
            model = first if first.startswith("out.") and first[4:] in self.models else None
            data = second if model else first
            self.calls.append((name, model, second if model else (first, second), options))
            return f"({self._relation(name, model, data)})"

        return macro

    def _relation(self, name: str, model: str | None, data: str | None) -> str:
        config = self.models.get(model[4:], {}) if model else {}
        kind = _task(str(config.get("model_type", "")))
        trial = "1 as trial_id, " if config.get("num_trials") else ""
        if name == "evaluate":
            columns = ", ".join(f".5::double as {c}" for c in _METRICS[kind].split())
            return f"select {trial}{columns}"
        if name in ("predict", "explain_predict", "detect_anomalies", "transform", "recommend"):
            return _with_input(name, kind, config, f"{model}__train", data)
        return f"select {trial if name != 'trial_info' else ''}{_FIXED[name]}"


def _task(model_type: str) -> str:
    if model_type in ("kmeans", "pca"):
        return model_type
    if model_type.startswith("arima"):
        return "arima"
    return "classification" if model_type.startswith(_CLASSIFIERS) else "regression"


_CLASSIFIERS = (
    "logistic",
    "boosted_tree_classifier",
    "random_forest_classifier",
    "dnn_classifier",
)
_NAMES = {*_FIXED, "evaluate", "predict", "explain_predict", "detect_anomalies"} | {
    "transform",
    "recommend",
}


def _with_input(
    name: str, kind: str, config: Mapping[str, Any], train: str, data: str | None
) -> str:
    label = (config.get("input_label_cols") or ["label"])[0]
    if name == "recommend":
        users = f"select distinct userId from {data or train}"
        items = f"select distinct movieId from {train}"
        columns = "userId, i.movieId, 3.5::double as predicted_rating"
        return f"select {columns} from ({users}) u, ({items}) i"
    if name == "detect_anomalies":
        extra = "true as is_anomaly, .5::double as normalized_distance, 1 as centroid_id"
    elif kind == "kmeans":
        extra = (
            "1 as CENTROID_ID, [{'CENTROID_ID': 1, 'DISTANCE': .5::double}] "
            "as NEAREST_CENTROIDS_DISTANCE"
        )
    elif kind == "pca":
        extra = ".5::double as principal_component_1, .5::double as principal_component_2"
    elif kind == "classification":
        high, low = (f'(select {f}("{label}") from {train})' for f in ("max", "min"))
        extra = (
            f"{high} as predicted_{label}, [{{'label': {high}, 'prob': .75::double}}, "
            f"{{'label': {low}, 'prob': .25::double}}] as predicted_{label}_probs"
        )
    else:
        extra = f"12.0::double as predicted_{label}"
    return f"select *, {extra} from {data or train}"


def connect() -> duckdb.DuckDBPyConnection:
    """Open a database with the small tables the corpus reads."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    connection.execute((FIXTURES / "schema" / "tables.sql").read_text(encoding="utf-8"))
    connection.execute("create schema out")
    return connection


def build(
    connection: duckdb.DuckDBPyConnection, conversion: Conversion
) -> tuple[Doubles, dict[str, ModelFile]]:
    """Make every model of a conversion, in its order, as dbt would."""
    doubles = Doubles()
    for file in conversion.files:
        sql = doubles.render(file.text)
        if doubles.config["materialized"] == "model":
            doubles.models[file.name] = doubles.config["ml_config"]
            connection.execute(f"create table out.{file.name}__train as {sql}")
        else:
            kind = doubles.config["materialized"]
            connection.execute(f"create {kind} out.{file.name} as {sql}")
    return doubles, {file.name: file for file in conversion.files}
