"""Fitting a model from its query: the whole way, in the caller's transaction.

`fit_model` is what the dbt materialization calls. It reads the training query, decides whether a
fit is needed, fits, judges the new version against the champion and writes everything; it never
commits.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import duckdb

from martlet.encoding import Encoding
from martlet.errors import InsufficientData, MartletError
from martlet.estimators import find_estimator
from martlet.estimators.base import Estimator, Previous, Training
from martlet.gate import feature_columns
from martlet.holding import changed_parts, extent, holding_reason
from martlet.options import Options, parse_options
from martlet.preprocessing import Preparation, learn_encoding
from martlet.rows import PreparedRows, fingerprint, prepare_rows, read_columns
from martlet.schema import read_features
from martlet.scoring.functions import build_functions, metric_names
from martlet.split import HASH, SPLIT
from martlet.store import ModelStore
from martlet.tuning import objective, tune
from martlet.versions import (
    Learned,
    ModelSpec,
    Outcome,
    library_versions,
    write_empty,
    write_version,
)

__all__ = ["Learned", "ModelSpec", "Outcome", "fit_model", "fit_parameters", "learn", "plan"]


def plan(spec: ModelSpec) -> tuple[Estimator, Options]:
    """Find the model type and check the options.

    Raises
    ------
    MartletError
        If the type or an option is not valid.
    """
    config = {str(key).lower(): value for key, value in spec.ml_config.items()}
    if spec.estimator is None and not config.get("model_type"):
        raise MartletError(
            f"Model '{spec.name}' has no model_type: give ml_config = {{'model_type': ...}}."
        )
    estimator = spec.estimator or find_estimator(config["model_type"])
    return estimator, parse_options(estimator.model_type, spec.ml_config, estimator.options)


def _refuse_wide(encoding: Encoding, estimator: Estimator) -> None:
    if estimator.max_columns is None or encoding.width <= estimator.max_columns:
        return
    widest = max(encoding.blocks, key=lambda block: block.width)
    raise MartletError(
        f"{estimator.model_type} takes at most {estimator.max_columns:,} encoded columns and got "
        f"{encoding.width:,}, of which {widest.name} makes {widest.width:,}: group its values "
        "(keep the frequent ones, ML.HASH_BUCKETIZE) or leave it out."
    )


def learn(
    con: duckdb.DuckDBPyConnection,
    prepared: PreparedRows,
    estimator: Estimator,
    options: Options,
    previous: Previous | None = None,
) -> Learned:
    """Learn the encoding and fit, without writing anything."""
    query = f"select * from {prepared.table} where {SPLIT} = 'train'"
    encoding, information, notices = learn_encoding(
        con, query, prepared.features, estimator.preparation(options)
    )
    _refuse_wide(encoding, estimator)
    training = Training(
        con,
        prepared.table,
        options,
        prepared.features,
        encoding,
        prepared.label,
        prepared.counts,
        options["seed"],
        previous,
    )
    if prepared.transform:
        # ML.FEATURE_INFO tells of the columns before TRANSFORM.
        used = {name.lower() for feature in prepared.features for name in feature.columns}
        raw = [item for item in prepared.columns if item[0].lower() in used]
        information = []
        if raw:
            features = read_features(raw, [])
            _, information, _ = learn_encoding(con, query, features, Preparation())
    fitted = estimator.fit(training)
    return Learned(training, fitted, information, [*notices, *fitted.notices])


def tuned(
    store: ModelStore,
    version: int,
    prepared: PreparedRows,
    estimator: Estimator,
    options: Options,
) -> Learned:
    """Search the options and return the best fit with its trials."""
    con = store.con
    if estimator.task != "clustering" and not prepared.counts.get("eval"):
        raise MartletError(
            "Tuning needs evaluation rows: at least 500 rows, or a data_split_method that "
            "leaves some."
        )
    metric = objective(estimator, options, metric_names(estimator, options))
    part = "eval" if prepared.counts.get("eval") else "train"
    rows = f"__martlet_trial_{store.name}"
    con.execute(
        f'create or replace temporary view "{rows}" as select * exclude ({HASH}, {SPLIT}) '
        f"from {prepared.table} where {SPLIT} = '{part}'"
    )

    def attempt(changed: Options) -> tuple[Mapping[str, Any], float | None, float | None]:
        learned = learn(con, prepared, estimator, changed)
        functions = build_functions(store, version, estimator, learned.fitted, prepared.label)
        if estimator.task == "custom":
            # Its functions read companion tables; the best trial's replace them in the end.
            store.add_parts(version, learned.fitted.parts)
        store.create_functions({name: functions[name] for name in ("predict", "evaluate")}, version)
        name = store.local(store.function("evaluate", version))
        relation = con.query(f"select * from {name}('\"{rows}\"')")
        metrics = dict(zip(relation.columns, relation.fetchall()[0], strict=True))
        course = learned.fitted.training_info
        losses = (course[-1].loss, course[-1].eval_loss) if course else (None, None)
        return metrics, *losses

    best, trials = tune(estimator, options, metric, attempt)
    con.execute(f'drop view "{rows}"')
    learned = learn(con, prepared, estimator, best)
    return dataclasses.replace(learned, trials=trials)


def fit_parameters(
    con: duckdb.DuckDBPyConnection, spec: ModelSpec, previous: Previous | None = None
) -> tuple[str, Mapping[str, Any]]:
    """Fit without writing anything.

    Returns
    -------
    fingerprint : str
        Of what the fit depends on.
    parameters : mapping
        What was learned.
    """
    estimator, options = plan(spec)
    printed = fingerprint(con, spec.sql, read_columns(con, spec.sql), options)
    prepared = prepare_rows(con, spec.sql, spec.name, estimator, options)
    learned = learn(con, prepared, estimator, options, previous)
    prepared.drop(con)
    return printed, learned.fitted.parameters


def fit_model(con: duckdb.DuckDBPyConnection, spec: ModelSpec) -> Outcome:
    """Fit a model, or find that nothing has changed.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        A connection; everything happens in its open transaction, if it has one.
    spec : ModelSpec
        The model.

    Returns
    -------
    Outcome
        What was done and why.

    Raises
    ------
    MartletError
        If the model cannot be made; nothing may be kept then: roll back.
    """
    started = time.perf_counter()
    estimator, options = plan(spec)
    outcome = Outcome()
    store = ModelStore(con, spec.database, spec.schema, spec.name)
    store.ensure()
    printed = fingerprint(con, spec.sql, read_columns(con, spec.sql), options)
    versions = store.versions()
    champion = next((row for row in versions if row["is_champion"]), None)
    same = next((v for v in reversed(versions) if v["training_fingerprint"] == printed), None)
    if same is not None and champion is not None and not spec.full_refresh:
        return _reuse(store, same, champion, outcome)
    if champion is not None and not spec.full_refresh:
        now = datetime.now(UTC).replace(tzinfo=None)
        held = holding_reason(con, spec.sql, versions, printed, options, now)
        if held:
            return _hold(store, champion, held, outcome)
    if spec.full_refresh and same is not None:
        outcome.log.append("fits again because of --full-refresh")
    elif versions:
        outcome.log.append("fits again: " + _difference(versions[-1], printed))
    prepared = prepare_rows(con, spec.sql, spec.name, estimator, options)
    version = max((row["model_version"] for row in versions), default=0) + 1
    base = {
        "model_name": spec.name,
        "model_version": version,
        "is_champion": False,
        "model_type": estimator.model_type,
        "trained_at": datetime.now(UTC).replace(tzinfo=None),
        "options": options.as_json(),
        "seed": options["seed"],
        "label": prepared.label.name if prepared.label else None,
        "features": feature_columns(prepared.features, prepared.columns, prepared.read),
        "training_rows": prepared.counts.get("train", 0),
        "evaluation_rows": prepared.counts.get("eval", 0),
        "split": json.dumps(
            {
                "method": prepared.split.method,
                "column": prepared.split.column,
                "evaluation_fraction": prepared.split.evaluation_fraction,
                "test_fraction": prepared.split.test_fraction,
                "rows": prepared.counts,
                "extent": extent(con, spec.sql, options),
            }
        ),
        "training_fingerprint": printed,
        "training_sql": spec.sql.strip(),
        "library_versions": library_versions(),
    }
    notices = [*options.notices, *prepared.notices]
    if prepared.shortage:
        return write_empty(store, estimator, prepared, options, base, champion, notices, outcome)
    try:
        if options.get("num_trials"):
            learned = tuned(store, version, prepared, estimator, options)
            base["options"] = learned.training.options.as_json()
        else:
            previous = _previous(champion, estimator)
            learned = learn(con, prepared, estimator, options, previous)
    except InsufficientData as short:
        prepared = dataclasses.replace(prepared, shortage=str(short))
        return write_empty(store, estimator, prepared, options, base, champion, notices, outcome)
    notices += learned.notices
    write_version(
        store, spec, estimator, prepared, learned, base, champion, notices, outcome, started
    )
    prepared.drop(con)
    return outcome


def _previous(champion: Mapping[str, Any] | None, estimator: Estimator) -> Previous | None:
    """Return what a new version has to go on from."""
    if champion is None or champion["model_type"] != estimator.model_type:
        return None
    parameters = json.loads(champion["parameters"])
    return Previous(champion["model_version"], parameters) if parameters else None


def _go_on(store: ModelStore, champion: Mapping[str, Any], outcome: Outcome) -> int:
    """Let the champion answer, make its functions again where they are missing."""
    outcome.version, outcome.status = champion["model_version"], "reused"
    if store.repair():
        outcome.log.append("stored functions were missing and are made again")
    return int(champion["model_version"])


def _hold(store: ModelStore, champion: Mapping[str, Any], reason: str, outcome: Outcome) -> Outcome:
    """Go on with the champion until it is time to fit."""
    version = _go_on(store, champion, outcome)
    store.set_status(version, "reused")
    outcome.log.append(f"version {version} is reused: {reason} (retrain_after_days)")
    return outcome


def _reuse(
    store: ModelStore, same: Mapping[str, Any], champion: Mapping[str, Any], outcome: Outcome
) -> Outcome:
    version = _go_on(store, champion, outcome)
    if same["model_version"] == version:
        if same["status"] == "insufficient_data":
            outcome.status = "insufficient_data"
            outcome.warnings.append("still too little data: nothing has changed")
            return outcome
        store.set_status(version, "reused")
        outcome.log.append(
            f"version {version} is reused: rows, query, options and package are unchanged"
        )
        return outcome
    outcome.log.append(
        f"version {version} goes on: version {same['model_version']} was made from the same rows, "
        f"query, options and package and is {same['status']}"
    )
    return outcome


def _difference(last: Mapping[str, Any], printed: str) -> str:
    """Say which parts of the fingerprint changed since the last version."""
    shown = {"martlet": "package"}
    parts = changed_parts(str(last["training_fingerprint"]), printed)
    changed = [shown.get(name, name) for name in parts]
    if not changed:
        return f"there is no champion since version {last['model_version']}"
    listed = " and ".join([", ".join(changed[:-1]), changed[-1]] if changed[1:] else changed)
    verb = "have" if len(changed) > 1 or changed[0] in ("rows", "columns", "options") else "has"
    return f"{listed} {verb} changed since version {last['model_version']}"
