"""How good the probabilities of a candidate are on rows it has not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MEASURES",
    "Offer",
    "calibration_error",
    "lift",
    "log_losses",
    "measure",
    "offer_profits",
    "roc_auc",
]

Array = NDArray[np.float64]

#: Columns of the comparison, in order.
MEASURES = (
    "roc_auc", "pr_auc", "accuracy", "precision", "recall", "f1_score", "lift_at_10_percent",
    "log_loss", "brier_score", "calibration_error",
)  # fmt: skip

#: Probabilities are kept this far from 0 and 1.
EDGE = 1e-6


def log_losses(target: Array, probability: Array) -> Array:
    """Return the log loss of each row.

    Parameters
    ----------
    target : ndarray of shape (rows,)
        0 or 1.
    probability : ndarray of shape (rows,)
        Of a 1.
    """
    kept = np.clip(probability, EDGE, 1 - EDGE)
    return np.asarray(-np.where(target > 0, np.log(kept), np.log1p(-kept)))


def roc_auc(target: Array, score: Array) -> float | None:
    """Return the chance that a random 1 scores above a random 0, ties counting half.

    Mann and Whitney's statistic from mid-ranks. None when there is only one class.
    """
    positives = int((target > 0).sum())
    negatives = len(target) - positives
    if not positives or not negatives:
        return None
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    above = rank[target > 0].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def _average_precision(target: Array, score: Array) -> float | None:
    """Return the area under the precision-recall steps; equal scores are one step."""
    positives = float((target > 0).sum())
    if not positives:
        return None
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(target[order] > 0)
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    precision = hits[ends] / (ends + 1)
    gained = np.diff(np.append(0, hits[ends])) / positives
    return float((precision * gained).sum())


def lift(target: Array, score: Array, share: float = 0.1) -> float | None:
    """Return the rate of the rows with the highest scores over the rate of all.

    Rows with the score at the border count in part, so that their order does not matter.

    Parameters
    ----------
    target, score : ndarray of shape (rows,)
        What happened, and what was predicted.
    share : float
        Of the rows that are taken; at least one row.
    """
    base = float((target > 0).mean()) if len(target) else 0.0
    if not base:
        return None
    wanted = max(1, int(len(target) * share))
    border = np.sort(score)[::-1][wanted - 1]
    above, at = score > border, score == border
    hits = (target[above] > 0).sum() + (target[at] > 0).mean() * (wanted - above.sum())
    return float(hits / wanted / base)


def calibration_error(target: Array, probability: Array, bins: int = 10) -> float:
    """Return the mean distance of predicted and observed rate over equally wide bins.

    The expected calibration error of Naeini, Cooper and Hauskrecht (2015), weighted by rows.
    """
    place = np.minimum((probability * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    gap = np.bincount(place, probability - (target > 0), minlength=bins)
    return float(np.abs(gap).sum() / max(1, count.sum()))


@dataclass(frozen=True)
class Offer:
    """What an offer that keeps customers costs and does.

    Attributes
    ----------
    contact_cost, offer_cost
        Of sending it, and of its use by who stays; in money.
    success_rate
        Share of those about to leave whom it keeps.
    """

    contact_cost: float
    offer_cost: float
    success_rate: float

    def profit(self, leaving: Array, margin: Array) -> Array:
        """Return the profit of making the offer; linear in the probability of leaving.

        Parameters
        ----------
        leaving : ndarray of shape (rows,)
            Probability of leaving, or 0 and 1 for what came.
        margin : ndarray of shape (rows,)
            What a kept customer leaves, in money.
        """
        kept = leaving * self.success_rate * (margin - self.offer_cost)
        return np.asarray(kept - (1 - leaving) * self.offer_cost - self.contact_cost)


def offer_profits(target: Array, probability: Array, margin: Array, offer: Offer) -> Array:
    """Return what each row brings when those get the offer for whom it is expected to pay.

    Parameters
    ----------
    target, probability, margin : ndarray of shape (rows,)
        Who left, what was predicted, and what a kept customer leaves.
    offer : Offer
        Its costs.
    """
    made = offer.profit(probability, margin) > 0
    return np.where(made, offer.profit((target > 0).astype(float), margin), 0.0)


def measure(target: Array, probability: Array) -> dict[str, float | None]:
    """Return all `MEASURES`; a measure that the rows do not define is None.

    Parameters
    ----------
    target : ndarray of shape (rows,)
        0 or 1.
    probability : ndarray of shape (rows,)
        Of a 1; above one half counts as predicted.
    """
    happened, predicted = target > 0, probability > 0.5
    hits = float((happened & predicted).sum())
    precision = hits / predicted.sum() if predicted.any() else None
    recall = hits / happened.sum() if happened.any() else None
    both = float(happened.sum() + predicted.sum())
    return {
        "roc_auc": roc_auc(target, probability),
        "pr_auc": _average_precision(target, probability),
        "accuracy": float((happened == predicted).mean()),
        "precision": None if precision is None else float(precision),
        "recall": None if recall is None else float(recall),
        "f1_score": 2 * hits / both if both else None,
        "lift_at_10_percent": lift(target, probability),
        "log_loss": float(log_losses(target, probability).mean()),
        "brier_score": float(((probability - happened) ** 2).mean()),
        "calibration_error": calibration_error(target, probability),
    }
