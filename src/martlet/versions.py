"""Writing a version: its row, companion tables and functions, and who is champion."""

from __future__ import annotations

import dataclasses
import json
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

from martlet import __version__
from martlet.estimators.base import Estimator, Fitted, Part, Training
from martlet.gate import judge
from martlet.judging import baseline_metrics, scoring_difference
from martlet.options import Options
from martlet.preprocessing import FeatureInfo
from martlet.rows import PreparedRows
from martlet.scoring.functions import (
    build_functions,
    empty_functions,
    global_explanation,
    metric_names,
    no_rows,
    stored_result,
    transform_function,
    with_parts,
)
from martlet.skew import skew_function, training_statistics
from martlet.split import HASH, SPLIT
from martlet.sqltext import identifier
from martlet.store import ModelStore
from martlet.tuning import Trial, trial_columns, trial_part

__all__ = ["Learned", "ModelSpec", "Outcome", "library_versions", "write_empty", "write_version"]


@dataclass(frozen=True)
class ModelSpec:
    """What a model is made from.

    Attributes
    ----------
    name, schema, database
        Of the fitted-model relation.
    sql
        The training query.
    ml_config
        Model type and options.
    full_refresh
        Fit even when nothing has changed.
    estimator
        A model type that is not in the registry, from a Python model.
    """

    name: str
    sql: str
    ml_config: Mapping[str, Any]
    schema: str = "main"
    database: str = "memory"
    full_refresh: bool = False
    estimator: Estimator | None = None


@dataclass
class Outcome:
    """What came of it.

    Attributes
    ----------
    status
        ``trained``, ``reused``, ``challenger`` or ``insufficient_data``.
    version
        The version made, or the one that goes on answering.
    log, warnings
        Sentences for the log.
    """

    status: str = ""
    version: int = 0
    log: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Learned:
    """One fit before it is written."""

    training: Training
    fitted: Fitted
    information: list[FeatureInfo]
    notices: list[str]
    trials: Sequence[Trial] = ()


def write_version(
    store: ModelStore,
    spec: ModelSpec,
    estimator: Estimator,
    prepared: PreparedRows,
    learned: Learned,
    base: dict[str, Any],
    champion: Mapping[str, Any] | None,
    notices: list[str],
    outcome: Outcome,
    started: float,
) -> None:
    """Write a fitted version, judge it, and make it champion or challenger."""
    con, fitted, version = store.con, learned.fitted, base["model_version"]
    options = learned.training.options
    judged = f'"__martlet_judged_{spec.name}"'
    con.execute(
        f"create or replace temporary view {judged} as select * exclude ({HASH}, {SPLIT}) "
        f"from {prepared.table} where {SPLIT} = '{learned.training.evaluation}'"
    )
    parts = dict(fitted.parts)
    if fitted.explanation is not None:
        parts |= fitted.explanation.parts
    functions = build_functions(store, version, estimator, fitted, prepared.label)
    if prepared.transform:
        functions["transform"] = [transform_function(prepared.transform)]
    if options.get("enable_global_explain") and fitted.explanation and prepared.label:
        store.add_parts(version, fitted.explanation.parts)
        part, shown = global_explanation(store, version, judged, fitted, prepared.label)
        parts["global_explain"] = part
        shown = with_parts(shown, store, version)
        functions |= {name: [body] for name, body in shown.items()}
    if learned.trials:
        measured = metric_names(estimator, options)
        parts["trials"], shown_trials = trial_part(estimator, learned.trials, measured)
        query = store.part_query(version, "trials")
        functions["trial_info"] = [shown_trials.replace("{part:trials}", query)]
    train = f"select * from {prepared.table} where {SPLIT} = 'train'"
    carried = {name.lower() for name in estimator.carried_columns(options)}
    told = [column for column in base["features"] if column["name"].lower() not in carried]
    parts["training_statistics"] = training_statistics(con, train, told)
    kept = store.part_query(version, "training_statistics")
    functions["validate_data_skew"] = [skew_function(told, kept)]
    store.add_parts(version, parts)
    store.create_functions(functions, version)
    made = {name: list(texts) for name, texts in functions.items()}
    metrics = _judge_alone(store, version, functions, judged)
    if fitted.metrics:
        metrics |= fitted.metrics
        values = ", ".join(
            f"{'null' if value is None else repr(float(value))}::double as {identifier(name)}"
            for name, value in metrics.items()
        )
        judging = [body for body in functions.get("evaluate", []) if body.startswith("(input")]
        functions["evaluate"] = [*judging, f"() as table (select {values})"]
    if learned.trials:
        best = next(trial.number for trial in learned.trials if trial.is_optimal)
        functions = _with_trial(functions, best)
    verdict = judge(
        store,
        champion,
        estimator,
        options,
        metrics,
        judged,
        prepared.columns,
        base["label"],
    )
    outcome.status = "trained" if verdict.accepted else "challenger"
    outcome.version = version
    row = base | {
        "status": outcome.status,
        "duration_seconds": time.perf_counter() - started,
        "metrics": json.dumps(metrics),
        "baseline_metrics": json.dumps(
            baseline_metrics(learned.training) | dict(fitted.baseline_metrics)
        ),
        "scoring_difference": scoring_difference(learned.training, fitted),
        "training_info": [_iteration(item) for item in fitted.training_info],
        "feature_info": [dataclasses.asdict(item) for item in learned.information],
        "parameters": json.dumps(fitted.parameters),
        "scoring_sql": functions["predict"][0] if "predict" in functions else None,
        "notices": notices,
    }
    store.add_version(row, functions)
    # Judging has put its answers into some of them; to make all again takes as long as some fits.
    changed = {name: texts for name, texts in functions.items() if texts != made.get(name)}
    store.create_functions(changed, version)
    con.execute(f"drop view {judged}")
    listed = ", ".join(
        f"{name} {value:.4g}" for name, value in metrics.items() if value is not None
    )
    outcome.log += notices
    shown_metrics = f" ({listed})" if listed else ""
    outcome.log.append(f"version {version} trained on {base['training_rows']} rows{shown_metrics}")
    if verdict.accepted:
        store.promote(version, functions)
        outcome.log.append(f"version {version} is the champion: {verdict.reason}")
    else:
        outcome.warnings.append(f"version {version} stays challenger: {verdict.reason}")


def _judge_alone(
    store: ModelStore, version: int, functions: dict[str, list[str]], judged: str
) -> dict[str, Any]:
    """Return the metrics, and store what the functions say of the evaluation rows."""
    metrics: dict[str, Any] = {}
    for name in ("evaluate", "confusion_matrix", "roc_curve"):
        if name not in functions:
            continue
        function = store.local(store.function(name, version))
        relation = store.con.query(f"select * from {function}('{judged}')")
        names, types, rows = relation.columns, relation.types, relation.fetchall()
        if name == "evaluate":
            metrics = dict(zip(names, rows[0], strict=True))
        functions[name].append(stored_result(names, types, rows))
    return metrics


#: Functions that begin with the trial after tuning, as in BigQuery ML.
_PER_TRIAL = {
    "evaluate", "confusion_matrix", "roc_curve", "training_info", "weights", "advanced_weights",
    "centroids",
}  # fmt: skip


def _with_trial(functions: dict[str, list[str]], trial: int | None) -> dict[str, list[str]]:
    """Put the winning trial in front of what the functions return."""
    number = "null" if trial is None else trial

    def numbered(body: str) -> str:
        head, _, rest = body.partition(" as table (")
        return f"{head} as table (select cast({number} as bigint) as trial_id, * from ({rest})"

    return {
        name: [numbered(body) for body in bodies] if name in _PER_TRIAL else bodies
        for name, bodies in functions.items()
    }


def write_empty(
    store: ModelStore,
    estimator: Estimator,
    prepared: PreparedRows,
    options: Options,
    base: dict[str, Any],
    champion: Mapping[str, Any] | None,
    notices: list[str],
    outcome: Outcome,
) -> Outcome:
    """Write a version without enough data: functions with the right columns and no rows."""
    version = base["model_version"]
    outcome.status, outcome.version = "insufficient_data", version
    functions = empty_functions(store, version, estimator, prepared.label, options)
    if prepared.transform:
        functions["transform"] = [transform_function(prepared.transform, empty=True)]
    if options.get("num_trials"):
        varied = dict(options.search) or estimator.default_search()
        trial = trial_columns(estimator, varied, metric_names(estimator, options))
        functions = _with_trial(functions, None) | {"trial_info": [no_rows(trial, "")]}
    parts = {name: Part(columns, []) for name, columns in estimator.empty_parts(options).items()}
    parts["training_statistics"] = training_statistics(store.con, "", ())
    kept = store.part_query(version, "training_statistics")
    functions["validate_data_skew"] = [skew_function((), kept)]
    store.add_parts(version, parts)
    row = base | {"status": "insufficient_data", "metrics": "{}", "parameters": "{}"}
    row |= {"training_info": [], "feature_info": [], "duration_seconds": 0.0}
    row |= {"scoring_sql": functions.get("predict", [None])[0]}
    row["notices"] = [*notices, f"not enough data: {prepared.shortage}"]
    store.add_version(row, functions)
    store.create_functions(functions, version)
    outcome.log += notices
    if champion is None or champion["status"] == "insufficient_data":
        store.promote(version, functions)
        outcome.warnings.append(f"not enough data: {prepared.shortage}; predictions are empty")
    else:
        outcome.warnings.append(
            f"not enough data: {prepared.shortage}; version {champion['model_version']} goes on"
        )
    prepared.drop(store.con)
    return outcome


def _iteration(item: Any) -> dict[str, Any]:
    row = dataclasses.asdict(item)
    if item.cluster_info is not None:
        names = ("centroid_id", "cluster_radius", "cluster_size")
        row["cluster_info"] = [dict(zip(names, entry, strict=True)) for entry in item.cluster_info]
    return row


def library_versions() -> str:
    """Return the versions of everything that a fit depends on, as JSON."""
    names = ("duckdb", "numpy", "scikit-learn", "sqlglot")
    versions = {name: metadata.version(name) for name in names}
    return json.dumps({"martlet": __version__, "python": platform.python_version(), **versions})
