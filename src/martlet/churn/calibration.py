"""The shape of the probabilities, learned on a cut-off before the one that tests.

A cut-off tells two things about a model: whether its probabilities are too bold or too shy (the
shape), and how many customers left that season (the level). Only the first carries over: a level
learned on one cut-off makes the next one worse when the season turns. So the level of the earlier
cut-off is taken out before the shape is learned and put back afterwards, and a shape is used only
when it lowers the log loss of rows it was not learned on by more than one standard error.

References
----------
Platt (1999), "Probabilistic outputs for support vector machines", section 2.
Zadrozny and Elkan (2002), "Transforming classifier scores into accurate multiclass probability
estimates", section 3 (isotonic regression).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from martlet.churn.measures import EDGE, log_losses
from martlet.sqltext import number

__all__ = ["Calibration", "choose_calibration", "level_shift", "log_odds", "probability"]

Array = NDArray[np.float64]

#: Fewest rows, and rows of the rarer class, that a shape is learned from.
_FEWEST_ROWS, _FEWEST_EVENTS = 200, 30

#: Folds of the cross-fitting, and how often the rows are divided into them.
_FOLDS, _DIVISIONS = 10, 5

#: Slope of isotonic regression beyond its outermost knots.
_BEYOND = 0.1


def log_odds(values: Array) -> Array:
    """Return the log-odds of probabilities, kept away from 0 and 1."""
    kept = np.clip(values, EDGE, 1 - EDGE)
    return np.asarray(np.log(kept / (1 - kept)))


def probability(odds: Array) -> Array:
    """Return the probabilities of log-odds."""
    power = np.exp(-np.abs(odds))
    return np.asarray(np.where(odds >= 0, 1 / (1 + power), power / (1 + power)))


@dataclass(frozen=True)
class Calibration:
    """A rising map from log-odds to log-odds: straight lines between knots.

    Attributes
    ----------
    method
        ``none``, ``platt`` (one line) or ``isotonic``.
    knots, values
        Where the lines meet. Of one line: its start at 0 and its end at 1; it goes on beyond. Of
        ``isotonic``: nearly constant beyond the outermost, so that the ranking stays.
    """

    method: str = "none"
    knots: tuple[float, ...] = ()
    values: tuple[float, ...] = ()

    @property
    def slope(self) -> float:
        """How much a step of the log-odds is worth: of ``platt`` the line's, else 1."""
        return self.values[1] - self.values[0] if self.method == "platt" else 1.0

    def apply(self, odds: Array) -> Array:
        """Return the calibrated log-odds."""
        if self.method == "platt":
            return np.asarray(self.values[0] + self.slope * odds)
        if self.method == "isotonic":
            beyond = odds - np.clip(odds, self.knots[0], self.knots[-1])
            return np.asarray(np.interp(odds, self.knots, self.values) + _BEYOND * beyond)
        return odds

    def expression(self, odds: exp.Expr) -> exp.Expr:
        """Return the same in SQL."""
        if self.method == "none":
            return odds
        if self.method == "platt":
            return _line(number(self.values[0]), self.slope, odds)

        def beyond(knot: float) -> exp.Expr:
            return exp.Paren(this=exp.Sub(this=odds.copy(), expression=number(knot)))

        case = exp.Case().when(
            exp.LTE(this=odds.copy(), expression=number(self.knots[0])),
            _line(number(self.values[0]), _BEYOND, beyond(self.knots[0])),
        )
        for place in range(1, len(self.knots)):
            left, right = self.knots[place - 1], self.knots[place]
            slope = (self.values[place] - self.values[place - 1]) / (right - left)
            case = case.when(
                exp.LTE(this=odds.copy(), expression=number(right)),
                _line(number(self.values[place - 1]), slope, beyond(left)),
            )
        return case.else_(_line(number(self.values[-1]), _BEYOND, beyond(self.knots[-1])))

    def moved(self, level: float) -> Calibration:
        """Return the map for log-odds that are lower by `level`, with results as much lower."""
        if self.method == "platt":
            start = self.values[0] + (self.slope - 1) * level
            return Calibration("platt", self.knots, (start, start + self.slope))
        knots = tuple(knot - level for knot in self.knots)
        return Calibration(self.method, knots, tuple(value - level for value in self.values))


def _line(start: exp.Expr, slope: float, along: exp.Expr) -> exp.Expr:
    rise = exp.Mul(this=number(slope), expression=along.copy())
    return exp.Paren(this=exp.Add(this=start, expression=rise))


def _platt(odds: Array, target: Array) -> Calibration:
    """Fit slope and level by Newton's method, with Platt's smoothed targets."""
    positives = float(target.sum())
    wanted = np.where(
        target > 0,
        (positives + 1) / (positives + 2),
        1 / (len(target) - positives + 2),
    )
    matrix = np.column_stack([np.ones(len(odds)), odds])
    weights = np.array([0.0, 1.0])
    for _ in range(50):
        found = probability(matrix @ weights)
        spread = np.maximum(found * (1 - found), 1e-9)
        bend = matrix.T @ (matrix * spread[:, None]) + 1e-9 * np.eye(2)
        step = np.linalg.solve(bend, matrix.T @ (found - wanted))
        weights -= np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10:
            break
    slope = max(float(weights[1]), 0.0)
    return Calibration("platt", (0.0, 1.0), (float(weights[0]), float(weights[0]) + slope))


def _isotonic(odds: Array, target: Array) -> Calibration:
    """Pool adjacent violators; each pool becomes one knot, so the map rises between them."""
    from scipy.optimize import isotonic_regression

    order = np.argsort(odds, kind="stable")
    starts = isotonic_regression(target[order] > 0).blocks[:-1]
    rows = np.diff(np.append(starts, len(odds)))
    hits = np.add.reduceat(target[order], starts)
    places = np.add.reduceat(odds[order], starts) / rows
    # As if each pool had seen one row of each kind more: never 0 or 1.
    values = np.log((hits + 0.5) / (rows - hits + 0.5))
    # Small pools can fall back by that. They are passed over: the map rises everywhere, so that the
    # ranking stays. Equal log-odds can be two pools; the first stands for both.
    highest = np.maximum.accumulate(np.append(-np.inf, values))[:-1]
    rising = (values > highest + 1e-6) & np.append(True, np.diff(places) >= 1e-9)
    return Calibration("isotonic", tuple(places[rising].tolist()), tuple(values[rising].tolist()))


def level_shift(odds: Array, target: Array) -> float:
    """Return what log-odds lack for the mean probability to be the observed rate."""
    rate = (target.sum() + 0.5) / (len(target) + 1)
    low, high = -15.0, 15.0
    for _ in range(60):
        middle = (low + high) / 2
        if probability(odds + middle).mean() < rate:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def choose_calibration(values: Array, target: Array) -> Calibration:
    """Choose among none, Platt and isotonic by cross-fitting.

    Ten folds, for a shape learned on half of the rows is worse than the one that will be used; and
    five such divisions, for the luck of one decides otherwise.

    Parameters
    ----------
    values : ndarray of shape (rows,)
        Probabilities on a cut-off the model has not seen, in random order.
    target : ndarray of shape (rows,)
        What happened there: 0 or 1.

    Returns
    -------
    Calibration
        For log-odds of models of the same kind, whatever their level.
    """
    events = min(float(target.sum()), float(len(target) - target.sum()))
    odds = log_odds(values)
    if len(target) < _FEWEST_ROWS or events < _FEWEST_EVENTS or np.ptp(odds) < 1e-9:
        return Calibration()
    level = level_shift(odds, target)
    shifted = odds + level
    best, lowest = Calibration(), log_losses(target, probability(shifted))
    for learn in (_platt, _isotonic):
        losses = _crossed(learn, shifted, target)
        gains = lowest - losses
        # Steps must beat the line too.
        if gains.mean() > float(gains.std(ddof=1)) / np.sqrt(len(gains)):
            best, lowest = learn(shifted, target), losses
    return best.moved(level) if best.method != "none" else best


def _crossed(learn: Callable[[Array, Array], Calibration], odds: Array, target: Array) -> Array:
    """Return the log loss of each row by shapes learned without it, the mean over divisions."""
    generator, losses = np.random.default_rng(0), np.zeros(len(target))
    for _ in range(_DIVISIONS):
        fold = generator.permutation(np.arange(len(target)) % _FOLDS)
        crossed = np.empty(len(target))
        for out in range(_FOLDS):
            kept = fold != out
            crossed[~kept] = learn(odds[kept], target[kept]).apply(odds[~kept])
        losses += log_losses(target, probability(crossed))
    return losses / _DIVISIONS
