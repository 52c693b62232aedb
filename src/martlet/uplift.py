"""How well customers are ranked by what a treatment changes, measured on a randomised experiment.

Nobody is seen both with and without the treatment, so a ranking is judged by groups: among the
customers ranked highest, the rate of the treated less the rate of the others.

References
----------
Radcliffe (2007), "Using control groups to target on predicted lift", section 5 (Qini curves).
Jaskowski and Jaroszewicz (2012), "Uplift modeling for clinical trial data", section 2 (the class
transformation).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["area_between", "average_effect", "qini", "qini_interval", "uplift_at"]

Array = NDArray[np.float64]


def average_effect(treated: Array, outcome: Array) -> float:
    """Return the rate of the treated less that of the others; 0 when one of them is empty."""
    rows, hits = treated.sum(), (outcome * treated).sum()
    others, other_hits = (1 - treated).sum(), (outcome * (1 - treated)).sum()
    if not rows or not others:
        return 0.0
    return float(hits / rows - other_hits / others)


def uplift_at(score: Array, treated: Array, outcome: Array, share: float = 0.3) -> float:
    """Return the average effect among the customers ranked highest.

    Parameters
    ----------
    score : ndarray of shape (rows,)
        Higher means sooner treated. Equal scores keep the order of the rows.
    treated, outcome : ndarray of shape (rows,)
        0 or 1.
    share : float
        Of the customers, at least one.
    """
    first = np.argsort(-score, kind="stable")[: max(1, int(len(score) * share))]
    return average_effect(treated[first], outcome[first])


def _gains(treated: Array, outcome: Array) -> Array:
    """Return the extra responses of the treated among the first rows, per row of the whole list."""
    rows, hits = np.cumsum(treated), np.cumsum(outcome * treated)
    others, other_hits = np.cumsum(1 - treated), np.cumsum(outcome * (1 - treated))
    return np.asarray((hits - other_hits * rows / np.maximum(others, 1)) / len(treated))


def area_between(treated: Array, outcome: Array) -> float:
    """Return the area between the gains of ranked rows and those of a random order."""
    gains = _gains(treated, outcome)
    share = np.arange(1, len(treated) + 1) / len(treated)
    return float((gains - gains[-1] * share).mean())


def qini(score: Array, treated: Array, outcome: Array) -> float:
    """Return the Qini measure: the area between the gains of a ranking and of a random order.

    Gains are the extra responses of the treated, per customer of the whole list: 0 for a random
    ranking.

    Parameters
    ----------
    score : ndarray of shape (rows,)
        Higher means sooner treated.
    treated, outcome : ndarray of shape (rows,)
        0 or 1.
    """
    order = np.argsort(-score, kind="stable")
    return area_between(treated[order], outcome[order])


def qini_interval(
    score: Array,
    treated: Array,
    outcome: Array,
    seed: int,
    level: float = 0.9,
    draws: int = 200,
) -> tuple[float, float]:
    """Return the percentile interval of the Qini measure by the bootstrap.

    Parameters
    ----------
    score, treated, outcome : ndarray of shape (rows,)
        As for `qini`.
    seed : int
        For the draws.
    level : float
        Share of the draws inside.
    draws : int
        How many samples of customers are drawn.

    Returns
    -------
    lower, upper : float
        Ends of the interval.
    """
    order = np.argsort(-score, kind="stable")
    generator, rows = np.random.default_rng(seed), len(order)
    found = []
    # A drawn sample in the order of the ranking is the sorted places.
    for _ in range(draws):
        place = order[np.sort(generator.integers(rows, size=rows))]
        found.append(area_between(treated[place], outcome[place]))
    lower, upper = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(lower), float(upper)
