"""How many states: judged on the last periods, which the fit has not seen.

The smallest number wins whose held-out log-likelihood is within one standard error of the best,
the error being that of the difference between the two over sequences.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from martlet.states.poisson_hmm import (
    PoissonHmm,
    Sequences,
    fit_hmm,
    group_sequences,
    log_likelihoods,
)

__all__ = ["StateScan", "choose_states", "weighted_auc"]

#: Enough to compare numbers of states; the chosen one is fitted to the end afterwards.
TOLERANCE = 0.01

Array = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class StateScan:
    """One number of states, fitted on the earlier periods.

    Attributes
    ----------
    model
        Of the earlier periods.
    bic
        Bayesian information criterion on them, with rows as observations.
    held_out
        Mean log-likelihood of a held-out row given the rows before it; NaN without any.
    auc, log_loss
        Of the forecast whether anything is counted in the next period, on held-out rows.
    gains : (sequences,)
        Held-out log-likelihood of each different sequence.
    """

    model: PoissonHmm
    bic: float
    held_out: float
    auc: float
    log_loss: float
    gains: Array


def choose_states(
    sequence: Counts,
    counts: Counts,
    held: NDArray[np.bool_],
    candidates: range,
    generator: np.random.Generator,
    starts: int,
) -> tuple[list[StateScan], int, str]:
    """Fit every number of states on the rows that are not held out and judge it on the others.

    Parameters
    ----------
    sequence, counts : (rows,)
        As for `martlet.states.poisson_hmm.group_sequences`.
    held : (rows,)
        Rows that judge, the last ones of their sequences.
    candidates : range
        Numbers of states.
    generator : numpy.random.Generator
        For the starts.
    starts : int
        Short runs for each.

    Returns
    -------
    scan : list of StateScan
    chosen : int
        Place in it.
    reason : str
    """
    early = group_sequences(sequence[~held], counts[~held])
    # Only sequences that have earlier rows; the place of a row tells whether it is held out.
    known = np.isin(sequence, sequence[~held])
    both = group_sequences(sequence[known], counts[known] * 2 + held[known])
    judging = (both.counts >= 0) & (both.counts % 2 == 1)
    whole = Sequences(np.where(both.counts >= 0, both.counts // 2, -1), both.weights)
    scan = [
        _judged(
            fit_hmm(early, states, generator, starts, tolerance=TOLERANCE), early, whole, judging
        )
        for states in candidates
    ]
    chosen, reason = _choice(scan, whole.weights, judging)
    return scan, chosen, reason


def _judged(
    model: PoissonHmm, early: Sequences, whole: Sequences, judging: NDArray[np.bool_]
) -> StateScan:
    bic = -2 * model.log_likelihood + model.parameters * math.log(early.rows)
    rows = float((judging * whole.weights[:, None]).sum())
    if not rows:
        return StateScan(model, bic, math.nan, math.nan, math.nan, np.zeros(len(whole.weights)))
    shares, logs = log_likelihoods(model, whole)
    gains = (logs * judging).sum(axis=1)
    prior = np.concatenate([np.tile(model.start, (len(shares), 1, 1)), shares[:, :-1]], axis=1)
    prior[:, 1:] = prior[:, 1:] @ model.transitions
    chance = 1 - (prior @ np.exp(-model.rates))[judging]
    happened = (whole.counts > 0)[judging]
    weights = np.broadcast_to(whole.weights[:, None], judging.shape)[judging]
    chance = np.clip(chance, 1e-12, 1 - 1e-12)
    losses = -np.where(happened, np.log(chance), np.log1p(-chance))
    return StateScan(
        model,
        bic,
        float(gains @ whole.weights) / rows,
        weighted_auc(chance, happened, weights),
        float(losses @ weights / rows),
        gains,
    )


def weighted_auc(scores: Array, happened: NDArray[np.bool_], weights: Array) -> float:
    """Return the area under the ROC curve of weighted rows, ties counting one half."""
    _, places = np.unique(scores, return_inverse=True)
    yes, no = np.bincount(places, weights * happened), np.bincount(places, weights * ~happened)
    if not yes.sum() or not no.sum():
        return math.nan
    below = np.cumsum(no) - no / 2
    return float((yes * below).sum() / (yes.sum() * no.sum()))


def _choice(scan: list[StateScan], weights: Array, judging: NDArray[np.bool_]) -> tuple[int, str]:
    if not judging.any():
        place = int(np.argmin([item.bic for item in scan]))
        return place, "lowest BIC, because there are too few periods to hold some out"
    best = int(np.argmax([item.held_out for item in scan]))
    for place, item in enumerate(scan):
        # Sequences are independent of each other, rows of one sequence are not.
        difference = scan[best].gains - item.gains
        total, sequences = float(difference @ weights), float(weights.sum())
        spread = float(weights @ (difference - total / sequences) ** 2)
        if total <= math.sqrt(spread * sequences / max(sequences - 1, 1)):
            reason = "best held-out log-likelihood"
            if place != best:
                reason = f"within one standard error of {len(scan[best].model.rates)} states"
            return place, reason
    return best, "best held-out log-likelihood"
