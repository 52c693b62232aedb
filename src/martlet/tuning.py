"""Hyper-parameter tuning: trials on the training rows, judged on the evaluation rows.

Trials are drawn at random from the seed (GRID_SEARCH: in order from the grid of candidates, ranges
by five values); VIZIER_DEFAULT, Google's own search, is drawn at random too. Ranges of penalties
and learning rates are drawn on a logarithmic scale.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from martlet.errors import MartletError
from martlet.estimators.base import Estimator, Part
from martlet.gate import more_is_better
from martlet.option_values import Candidates, Option, Range, nearest
from martlet.options import Options

__all__ = ["Trial", "objective", "trial_columns", "trial_part", "tune"]

#: What is optimised when nothing else is asked for.
_OBJECTIVES = {
    "regression": "r2_score",
    "classification": "roc_auc",
    "clustering": "davies_bouldin_index",
}

#: The least positive value of a logarithmic range that starts at 0.
_SMALLEST = 1e-4


@dataclass
class Trial:
    """One trial: its options, what it scored and how it ended."""

    number: int
    changes: Mapping[str, Any]
    metrics: Mapping[str, Any]
    training_loss: float | None = None
    eval_loss: float | None = None
    status: str = "SUCCEEDED"
    message: str | None = None
    is_optimal: bool = False


def objective(estimator: Estimator, options: Options, metrics: Sequence[str]) -> str:
    """Return the metric to optimise.

    Raises
    ------
    MartletError
        If it is not a metric of the type, or more than one is asked for.
    """
    asked = [name.lower() for name in options["hparam_tuning_objectives"]]
    if len(asked) > 1:
        raise MartletError("hparam_tuning_objectives takes one metric.")
    if asked and asked[0] not in metrics:
        raise MartletError(
            f"hparam_tuning_objectives: '{asked[0]}' is not a metric of {options.model_type}: "
            f"{nearest(asked[0], metrics)}"
        )
    return asked[0] if asked else _OBJECTIVES.get(estimator.task, metrics[0])


def tune(
    estimator: Estimator,
    options: Options,
    metric: str,
    attempt: Callable[[Options], tuple[Mapping[str, Any], float | None, float | None]],
) -> tuple[Options, list[Trial]]:
    """Run the trials and choose the best.

    Parameters
    ----------
    estimator : Estimator
        The model type.
    options : Options
        With ``num_trials`` and what to vary.
    metric : str
        What to optimise.
    attempt : callable
        Fits with given options; returns metrics on the evaluation rows and both losses.

    Returns
    -------
    best : Options
        The options of the best trial.
    trials : list of Trial
        All of them.

    Raises
    ------
    MartletError
        If there is nothing to vary or every trial failed.
    """
    search = dict(options.search) or estimator.default_search()
    if not search:
        raise MartletError(
            f"num_trials is set, but nothing of {options.model_type} is given as HPARAM_RANGE or "
            "HPARAM_CANDIDATES."
        )
    trials: list[Trial] = []
    for number, changes in enumerate(_drawn(estimator, options, search), start=1):
        trial = Trial(number, changes, {})
        try:
            trial.metrics, trial.training_loss, trial.eval_loss = attempt(
                options.replaced(**changes)
            )
        except MartletError as error:
            trial.status, trial.message = "FAILED", str(error)
        trials.append(trial)
    scored = [trial for trial in trials if trial.metrics.get(metric) is not None]
    if not scored:
        reason = next((trial.message for trial in trials if trial.message), f"no {metric}")
        raise MartletError(f"Every trial of the tuning failed: {reason}")
    sign = 1.0 if more_is_better(estimator, metric) else -1.0
    best = max(scored, key=lambda trial: (sign * trial.metrics[metric], -trial.number))
    best.is_optimal = True
    chosen = options.replaced(**best.changes)
    kept = Options(chosen.model_type, chosen.settings, options.given, options.notices, dict(search))
    return kept, trials


def _drawn(
    estimator: Estimator, options: Options, search: Mapping[str, Range | Candidates]
) -> Iterator[dict[str, Any]]:
    known = {option.name: option for option in estimator.options}
    count = int(options["num_trials"])
    if options["hparam_tuning_algorithm"] == "GRID_SEARCH":
        axes = [_grid(known[name], space) for name, space in search.items()]
        for values in itertools.islice(itertools.product(*axes), count):
            yield dict(zip(search, values, strict=True))
        return
    generator = np.random.default_rng(options["seed"])
    finite = all(isinstance(space, Candidates) for space in search.values())
    if finite:
        # A finite space is not asked the same thing twice.
        axes = [_grid(known[name], space) for name, space in search.items()]
        every = list(itertools.product(*axes))
        for place in generator.permutation(len(every))[:count]:
            yield dict(zip(search, every[place], strict=True))
        return
    for _ in range(count):
        yield {name: _draw(known[name], space, generator) for name, space in search.items()}


def _is_logarithmic(option: Option) -> bool:
    return option.name.endswith("_reg") or option.name == "learn_rate"


def _grid(option: Option, space: Range | Candidates) -> list[Any]:
    if isinstance(space, Candidates):
        return list(space.values)
    if option.kind == "integer":
        return list(range(int(space.low), int(space.high) + 1))
    if _is_logarithmic(option):
        return [float(v) for v in np.geomspace(max(space.low, _SMALLEST), space.high, 5)]
    return [float(v) for v in np.linspace(space.low, space.high, 5)]


def _draw(option: Option, space: Range | Candidates, generator: np.random.Generator) -> Any:
    if isinstance(space, Candidates):
        return space.values[int(generator.integers(len(space.values)))]
    if option.kind == "integer":
        return int(generator.integers(int(space.low), int(space.high) + 1))
    if _is_logarithmic(option):
        low = max(space.low, _SMALLEST)
        return float(np.exp(generator.uniform(np.log(low), np.log(space.high))))
    return float(generator.uniform(space.low, space.high))


def trial_columns(
    estimator: Estimator, varied: Iterable[str], metrics: Sequence[str]
) -> dict[str, str]:
    """Return the columns of ML.TRIAL_INFO by name.

    Parameters
    ----------
    estimator : Estimator
        The model type.
    varied : iterable of str
        The options that are searched.
    metrics : sequence of str
        What each trial is judged by.
    """
    known = {option.name: option for option in estimator.options}
    kinds = {"integer": "bigint", "number": "double", "boolean": "boolean"}
    parameters = ", ".join(f"{name} {kinds.get(known[name].kind, 'varchar')}" for name in varied)
    measured = ", ".join(f"{name} double" for name in metrics)
    return {
        "trial_id": "bigint",
        "hyperparameters": f"struct({parameters})",
        "hparam_tuning_evaluation_metrics": f"struct({measured})",
        "training_loss": "double",
        "eval_loss": "double",
        "status": "varchar",
        "error_message": "varchar",
        "is_optimal": "boolean",
    }


def trial_part(
    estimator: Estimator, trials: Sequence[Trial], metrics: Sequence[str]
) -> tuple[Part, str]:
    """Return the companion table of the trials and the function that shows it."""
    columns = trial_columns(estimator, trials[0].changes, metrics)
    rows = [
        (
            trial.number,
            {
                name: str(value) if isinstance(value, list) else value
                for name, value in trial.changes.items()
            },
            {name: trial.metrics.get(name) for name in metrics},
            trial.training_loss,
            trial.eval_loss,
            trial.status,
            trial.message,
            trial.is_optimal,
        )
        for trial in trials
    ]
    listed = ", ".join(columns)
    function = f"() as table (select {listed} from {{part:trials}} order by trial_id)"
    return Part(columns, rows), function
