"""Batch gradient descent the way BigQuery ML fits its linear models.

Weights start at zero. An iteration takes one step along the gradient of the mean loss; with
LINE_SEARCH it tries twice, once, a half and a quarter of the last learning rate and keeps the best.
Training stops after MAX_ITERATIONS, or when the loss falls by less than MIN_REL_PROGRESS of itself.
L1 is a proximal (soft threshold) step: weights become exactly zero.

References
----------
Beck and Teboulle (2009), "A fast iterative shrinkage-thresholding algorithm for linear inverse
problems", for the proximal step. BigQuery ML's CREATE MODEL reference for generalised linear models
for the line search and its defaults.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from martlet.errors import MartletError
from martlet.estimators.base import Iteration
from martlet.options import Options

__all__ = ["Problem", "descend"]

Array = NDArray[np.float64]

_TRIES = (2.0, 1.0, 0.5, 0.25)


@dataclass(frozen=True)
class Problem:
    """What is minimised.

    Attributes
    ----------
    matrix
        Encoded features with a column of ones in front when there is an intercept.
    loss
        Mean loss of the scores ``matrix @ weights``.
    gradient
        Its derivative by the scores, one row a row, already divided by the number of rows.
    outputs
        Number of columns of the weights.
    intercept
        Whether the first row of the weights is an intercept, which is not penalised.
    l1, l2
        Penalties per row: of the mean loss.
    """

    matrix: Any
    loss: Callable[[Array], float]
    gradient: Callable[[Array], Array]
    outputs: int
    intercept: bool
    l1: float = 0.0
    l2: float = 0.0


def descend(
    problem: Problem, options: Options, evaluate: Callable[[Array], float] | None = None
) -> tuple[Array, list[Iteration]]:
    """Minimise the loss and the penalties.

    Parameters
    ----------
    problem : Problem
        Loss, features and penalties.
    options : Options
        Those of the model: iterations, early stop, learning rates.
    evaluate : callable, optional
        Loss of given weights on the evaluation rows, for the record.

    Returns
    -------
    weights : numpy.ndarray
        One row an encoded feature (and the intercept first), one column an output.
    iterations : list of Iteration
        The course of the training.
    """
    weights = np.zeros((problem.matrix.shape[1], problem.outputs))
    free = np.ones((len(weights), 1))
    if problem.intercept:
        free[0] = 0.0
    constant = options["learn_rate_strategy"] == "CONSTANT"
    rate = float(options["learn_rate"] if constant else options["ls_init_learn_rate"])
    scores = np.asarray(problem.matrix @ weights)
    last = problem.loss(scores)
    course: list[Iteration] = []
    for iteration in range(int(options["max_iterations"])):
        started = time.perf_counter()
        slope = problem.matrix.T @ problem.gradient(scores) + problem.l2 * free * weights
        rates = [rate] if constant else [rate * factor for factor in _TRIES]
        # Without the threshold every try lies on one line: its scores need no product of their own.
        along = None if problem.l1 else np.asarray(problem.matrix @ slope)
        tried = []
        for candidate in rates:
            moved = _shrink(weights - candidate * slope, candidate * problem.l1 * free)
            moved_scores = (
                np.asarray(problem.matrix @ moved) if along is None else scores - candidate * along
            )
            # A step too far overflows; it is not taken.
            with np.errstate(over="ignore", invalid="ignore"):
                penalty = problem.l1 * np.abs(free * moved).sum()
                penalty += 0.5 * problem.l2 * (free * moved**2).sum()
                reached = problem.loss(moved_scores) + float(penalty)
            tried.append((reached, candidate, moved))
        loss, rate, weights = min(tried, key=lambda item: (not np.isfinite(item[0]), item[0]))
        if not np.isfinite(loss):
            name = "learn_rate" if constant else "ls_init_learn_rate"
            raise MartletError(
                f"Training diverged at iteration {iteration}: lower {name}, now {options[name]:g}."
            )
        scores = np.asarray(problem.matrix @ weights)
        milliseconds = int((time.perf_counter() - started) * 1000)
        eval_loss = evaluate(weights) if evaluate else None
        course.append(Iteration(iteration, loss, eval_loss, rate, milliseconds))
        if options["early_stop"] and last - loss < options["min_rel_progress"] * abs(last):
            break
        last = loss
    return weights, course


def _shrink(weights: Array, by: Any) -> Array:
    return np.asarray(np.sign(weights) * np.maximum(np.abs(weights) - by, 0.0))
