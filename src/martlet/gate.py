"""Champion and challenger: a new version takes over only when it is not worse."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from martlet.errors import MartletError
from martlet.estimators.base import Estimator
from martlet.options import Options, nearest
from martlet.schema import Feature
from martlet.store import ModelStore

__all__ = ["Verdict", "feature_columns", "judge", "judging_metric", "more_is_better"]

_HIGHER_IS_BETTER = {
    "precision", "recall", "accuracy", "f1_score", "roc_auc", "r2_score", "explained_variance",
    "total_explained_variance_ratio",
}  # fmt: skip

#: What versions are compared by, the first that has a value.
_DEFAULTS = {
    "regression": ("mean_squared_error",),
    "classification": ("roc_auc", "log_loss", "accuracy"),
    "clustering": ("davies_bouldin_index", "mean_squared_distance"),
    "decomposition": ("total_explained_variance_ratio",),
}


@dataclass(frozen=True)
class Verdict:
    """Whether a new version takes over.

    Attributes
    ----------
    accepted
        Whether it does.
    reason
        Why, for the log.
    """

    accepted: bool
    reason: str


def judging_metric(
    estimator: Estimator, options: Options, metrics: Mapping[str, Any]
) -> str | None:
    """Return the metric that decides, None when there is none with a value.

    Raises
    ------
    MartletError
        If ``champion_metric`` is not a metric of the type.
    """
    wanted = options["champion_metric"]
    if wanted:
        if wanted.lower() not in metrics:
            raise MartletError(
                f"champion_metric '{wanted}' is not a metric of {options.model_type}: "
                f"{nearest(wanted, list(metrics))}"
            )
        return str(wanted.lower())
    names = estimator.metrics or _DEFAULTS.get(estimator.task, ())
    return next((name for name in names if metrics.get(name) is not None), None)


def judge(
    store: ModelStore,
    champion: Mapping[str, Any] | None,
    estimator: Estimator,
    options: Options,
    metrics: Mapping[str, Any],
    rows: str,
    features: Sequence[tuple[str, Any]],
    label: str | None,
) -> Verdict:
    """Compare a new version with the champion on the same rows.

    Parameters
    ----------
    store : ModelStore
        The model's versions.
    champion : mapping or None
        The champion's row.
    estimator : Estimator
        Type of the new version.
    options : Options
        With ``champion_metric`` and ``champion_tolerance``.
    metrics : mapping
        Of the new version on `rows`.
    rows : str
        Name of the evaluation rows, as a stored function takes it.
    features : sequence of (str, DuckDBPyType)
        Columns of those rows.
    label : str or None
        The label.

    Returns
    -------
    Verdict
        Accepted when not worse by more than the tolerance, or when they cannot be compared.
    """
    if champion is None:
        return Verdict(True, "it is the first version")
    if champion["status"] == "insufficient_data":
        return Verdict(True, f"version {champion['model_version']} had too little data")
    version = champion["model_version"]
    name = judging_metric(estimator, options, metrics)
    obstacle = _obstacle(champion, features, label)
    judging = json.loads(champion["functions"]).get("evaluate", [])
    if not obstacle and not any(body.startswith("(input") for body in judging):
        obstacle = f"{champion['model_type']} cannot be judged on rows"
    if name is None:
        obstacle = "there is no metric to compare by"
    if not obstacle and name not in json.loads(champion["metrics"] or "{}"):
        obstacle = f"it has no {name}"
    if obstacle or name is None:
        return Verdict(True, f"version {version} cannot be compared: {obstacle}")
    function = store.local(store.function("evaluate", version))
    old = store.con.execute(f"select \"{name}\" from {function}('{rows}')").fetchall()[0][0]
    new = metrics[name]
    if old is None or new is None:
        return Verdict(True, f"version {version} cannot be compared: {name} has no value")
    gain = new - old if more_is_better(estimator, name) else old - new
    compared = f"{name} {new:.6g} against {old:.6g} of version {version} on the same rows"
    # The last digits of a sum depend on the order in which threads add.
    if gain >= -options["champion_tolerance"] - 1e-9 * abs(old):
        return Verdict(True, f"not worse: {compared}")
    return Verdict(False, f"worse: {compared}")


def _obstacle(
    champion: Mapping[str, Any], columns: Sequence[tuple[str, Any]], label: str | None
) -> str:
    """Say why the champion cannot score the new rows; asking it would abort the transaction."""
    if (champion["label"] or "").lower() != (label or "").lower():
        return "it has another label"
    present = {name.lower(): str(kind) for name, kind in columns}
    for column in champion["features"]:
        name, kind = column["name"], column["type"]
        if name.lower() not in present:
            return f"it needs column {name}, which is gone"
        if present[name.lower()] != kind:
            return f"column {name} was {kind} and is {present[name.lower()]}"
    return ""


def more_is_better(estimator: Estimator, metric: str) -> bool:
    """Tell whether a greater value of the metric is the better one."""
    return metric in (estimator.higher_is_better if estimator.metrics else _HIGHER_IS_BETTER)


def feature_columns(
    features: Sequence[Feature], columns: Sequence[tuple[str, Any]], read: Sequence[str] = ()
) -> list[dict[str, str]]:
    """Return the raw columns that a model reads, with their types."""
    kinds = dict(columns)
    used = dict.fromkeys([name for feature in features for name in feature.columns])
    used |= dict.fromkeys(read)
    return [{"name": name, "type": str(kinds[name])} for name in used]
