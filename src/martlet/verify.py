"""Proof that a recorded fit can be repeated: the same rows and seed give the same parameters."""

from __future__ import annotations

import json
import math
from typing import Any

import duckdb

from martlet.errors import MartletError
from martlet.estimators.base import Previous
from martlet.fit import fit_parameters
from martlet.holding import changed_parts
from martlet.store import ModelStore
from martlet.stored_text import require_query
from martlet.versions import ModelSpec

__all__ = ["verify_version"]

#: Sums over rows may be taken in another order on another machine.
TOLERANCE = 1e-9


def verify_version(store: ModelStore, version: int | None = None) -> tuple[bool, list[str]]:
    """Fit a version again, without writing anything, and compare.

    Parameters
    ----------
    store : ModelStore
        The model.
    version : int, optional
        By default the champion.

    Returns
    -------
    same : bool
        Whether rows, query, options and parameters are the same.
    lines : list of str
        What was found.

    Raises
    ------
    MartletError
        If there is no such version or its query no longer runs.
    """
    rows = store.versions()
    row = next(
        (
            item
            for item in rows
            if item["model_version"] == version or (version is None and item["is_champion"])
        ),
        None,
    )
    name = f"{store.schema}.{store.name}"
    if row is None:
        raise MartletError(f"Model '{store.name}' has no version {version}.")
    head = f"{name} version {row['model_version']}"
    if row["status"] == "insufficient_data":
        return True, [f"{head}: had too little data, there is nothing to verify"]
    options = json.loads(row["options"])
    # After tuning, the recorded options are those of the trial that won.
    options.pop("hparam_search", None)
    config = {key: value for key, value in options.items() if value not in (None, [])}
    spec = ModelSpec(
        store.name, row["training_sql"], config, store.schema, store.database, full_refresh=True
    )
    require_query(store.con, row["training_sql"], head)
    recorded = json.loads(row["parameters"])
    before_it = next(
        (
            Previous(item["model_version"], json.loads(item["parameters"]))
            for item in rows
            if item["model_version"] == recorded.get("previous_version")
        ),
        None,
    )
    try:
        printed, parameters = fit_parameters(store.con, spec, before_it)
    except duckdb.Error as error:
        raise MartletError(f"{head}: its query does not run any more: {error}") from error
    changed = changed_parts(row["training_fingerprint"], printed)
    if not {"rows", "columns"}.isdisjoint(changed):
        return False, [f"{head}: the rows of its query are not those it was trained on"]
    difference = _difference(recorded, parameters)
    if difference is None:
        return False, [f"{head}: the parameters have another shape"]
    lines = [f"{head}: same rows, largest relative difference of a parameter {difference:.2g}"]
    if "martlet" in changed:
        fitted, verified = (text.split("/")[-1] for text in (row["training_fingerprint"], printed))
        lines.append(f"  fitted by {fitted}, verified by {verified}")
    return difference <= TOLERANCE, lines


def _difference(first: Any, second: Any) -> float | None:
    """Return the largest relative difference of numbers; None when the shapes differ."""
    if isinstance(first, dict) and isinstance(second, dict):
        if set(first) != set(second):
            return None
        pairs = [(first[key], second[key]) for key in first]
    elif isinstance(first, list | tuple) and isinstance(second, list | tuple):
        if len(first) != len(second):
            return None
        pairs = list(zip(first, second, strict=True))
    elif isinstance(first, int | float) and isinstance(second, int | float):
        scale = max(abs(first), abs(second), 1.0)
        return (
            0.0 if first == second else abs(first - second) / (scale if math.isfinite(scale) else 1)
        )
    else:
        return 0.0 if first == second else None
    worst = 0.0
    for left, right in pairs:
        found = _difference(left, right)
        if found is None:
            return None
        worst = max(worst, found)
    return worst
