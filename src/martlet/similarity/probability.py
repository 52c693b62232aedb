"""From scores to probabilities: a logistic regression on a later stretch of time.

References
----------
Platt (1999), "Probabilistic outputs for support vector machines", section 2. Niculescu-Mizil and
Caruana (2005), "Predicting good probabilities with supervised learning", ICML, section 4.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from martlet.similarity.history import DAY, Window
from martlet.similarity.judging import Blend, Learning, Task, scores

__all__ = ["Probability", "Shown", "calibrate", "calibration_error", "shown"]

_LENGTH = 20
_CHUNK = 500
_BINS = 10
#: Added to a score before its logarithm, as a share of the mean score.
_FLOOR = 0.01


@dataclass(frozen=True)
class Shown:
    """What would have been shown, and whether it was bought.

    Attributes
    ----------
    score
        Score of each item shown.
    orders, days
        Orders of its user so far, and days since the last one.
    bought
        Whether it was bought in the stretch of time that follows.
    """

    score: NDArray[np.float64]
    orders: NDArray[np.float64]
    days: NDArray[np.float64]
    bought: NDArray[np.bool_]

    def features(self, floor: float) -> Any:
        """Return rows x 3: what the probability is made of."""
        return np.stack(
            [np.log(self.score + floor), np.log1p(self.orders), np.log1p(self.days)], axis=1
        )


@dataclass(frozen=True)
class Probability:
    """Logistic regression on the logarithms of score, orders and days since the last one.

    Attributes
    ----------
    floor
        Added to the score, so that its logarithm exists.
    """

    intercept: float
    score: float
    orders: float
    days: float
    floor: float

    def of(self, rows: Shown) -> NDArray[np.float64]:
        """Return probabilities."""
        weights = np.array([self.score, self.orders, self.days])
        return np.asarray(1 / (1 + np.exp(-(self.intercept + rows.features(self.floor) @ weights))))

    def as_parameters(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def shown(
    learning: Learning, blend: Blend, task: Task, before: Window, after: Window, until: int
) -> Shown:
    """Return the best items of users at the end of `before`, with what `after` says of them.

    Parameters
    ----------
    learning, blend
        How scores are made.
    task : Task
        With ``next_order`` only users who order again are asked; else all of them.
    before, after : Window
        Purchases to learn from, and those of the stretch of time that follows.
    until : int
        End of `before`, microseconds.
    """
    after = after.next_orders() if task.next_order else after
    users = np.unique(before.user)
    users = np.intersect1d(users, np.unique(after.user)) if task.next_order else users
    if len(users) > 2 * task.most:
        users = np.sort(np.random.default_rng(1).choice(users, 2 * task.most, replace=False))
    near = learning.near(blend.measure, before)
    count, last = before.habits()
    later, length = after.bought(10**9), min(_LENGTH, before.shape[1])
    found = []
    for begin in range(0, len(users), _CHUNK):
        some = users[begin : begin + _CHUNK]
        score = scores(before, near, blend, some, learning.longest)
        best = np.argpartition(-score, length - 1, axis=1)[:, :length]
        bought = np.take_along_axis(later[some].toarray() > 0, best, axis=1)
        found.append((np.take_along_axis(score, best, axis=1).ravel(), bought.ravel()))
    empty = (np.zeros(0), np.zeros(0, dtype=bool))
    score, bought = (np.concatenate(part) for part in zip(*found or [empty], strict=True))
    owner = np.repeat(users, length)
    return Shown(score, count[owner].astype(float), (until - last[owner]) / DAY, bought)


def calibrate(rows: Shown) -> Probability | None:
    """Fit the logistic regression by Newton's method; None where all or none was bought.

    A small ridge holds it back, and a higher score never means a lower probability.
    """
    if not 0 < rows.bought.sum() < len(rows.bought):
        return None
    floor = _FLOOR * float(rows.score.mean())
    features = rows.features(floor)
    weights = _newton(features, rows.bought)
    if weights[1] < 0:
        weights = _newton(features * [0, 1, 1], rows.bought)
    intercept, score, orders, days = (float(weight) for weight in weights)
    return Probability(intercept, max(score, 0.0), orders, days, floor)


def _newton(features: Any, bought: NDArray[np.bool_]) -> NDArray[np.float64]:
    middle, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread < 1e-12, 1.0, spread)
    rows = np.column_stack([np.ones(len(features)), (features - middle) / spread])
    rate = bought.mean()
    weights = np.array([np.log(rate / (1 - rate)), 0.0, 0.0, 0.0])
    ridge = np.diag([0.0, 1.0, 1.0, 1.0])
    for _ in range(25):
        chance = 1 / (1 + np.exp(-np.clip(rows @ weights, -30, 30)))
        slope = rows.T @ (chance - bought) + ridge @ weights
        curve = (rows * (chance * (1 - chance))[:, None]).T @ rows + ridge + 1e-9 * np.eye(4)
        step = np.linalg.solve(curve, slope)
        weights = weights - step
        if np.abs(step).max() < 1e-10:
            break
    weights[1:] /= spread
    weights[0] -= weights[1:] @ middle
    return weights


def calibration_error(chance: NDArray[np.float64], bought: NDArray[np.bool_]) -> float:
    """Return the mean distance of probability and share bought in ten bins of as many rows."""
    order = np.argsort(chance, kind="stable")
    bins = np.array_split(order, _BINS)
    return float(
        sum(len(b) * abs(chance[b].mean() - bought[b].mean()) for b in bins if len(b)) / len(order)
    )
