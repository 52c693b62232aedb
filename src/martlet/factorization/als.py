"""Alternating least squares, for ratings with biases and for events with confidence.

Each half step holds one side fixed and solves a ridge regression for every row of the other side,
many rows at a time: rows of about as many ratings are padded to one block.

References
----------
Zhou, Wilkinson, Schreiber and Pan (2008), "Large-scale parallel collaborative filtering for the
Netflix prize", AAIM, section 3 (explicit; there the ridge grows with the number of ratings).
Koren, Bell and Volinsky (2009), "Matrix factorization techniques for recommender systems",
Computer 42(8) (biases). Hu, Koren and Volinsky (2008), "Collaborative filtering for implicit
feedback datasets", ICDM, section 4 (confidence 1 + alpha * r; the sum over unseen pairs through
the Gram matrix).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from martlet.factorization.ratings import Ratings

__all__ = ["LEAST_RIDGE", "Factors", "Settings", "Step", "factorize"]

Array = NDArray[np.float64]

#: Entries of one padded block, and numbers in its stack of normal equations.
_BLOCK, _EQUATIONS = 65_536, 4_000_000
#: Keeps the normal equations solvable when no ridge is wanted.
LEAST_RIDGE = 1e-9
_SPREAD = 0.1


@dataclass(frozen=True)
class Settings:
    """How to factorize.

    Attributes
    ----------
    factors
        Length of the vectors.
    l2_reg
        Ridge on every vector and bias.
    weigh_ridge
        Whether the ridge of a row is multiplied by the weight of its observations.
    alpha
        Confidence of an event: an observed pair weighs 1 + alpha * rating. None is explicit.
    iterations
        Most full steps.
    min_progress
        Ends when the loss falls by less than this share; None goes on to the end.
    seed
        Of the vectors at the start.
    """

    factors: int
    l2_reg: float = 1.0
    weigh_ridge: bool = False
    alpha: float | None = None
    iterations: int = 20
    min_progress: float | None = 0.01
    seed: int = 0


@dataclass(frozen=True)
class Step:
    """Loss and milliseconds of one iteration."""

    loss: float
    milliseconds: int


@dataclass(frozen=True)
class Factors:
    """What was learned.

    Attributes
    ----------
    users, items
        Vectors of shape (users, factors) and (items, factors).
    user_intercept, item_intercept
        Of shape (users,) and (items,); 0 for implicit feedback.
    intercept
        The mean rating; 0 for implicit feedback.
    steps
        One an iteration.
    """

    users: Array
    items: Array
    user_intercept: Array
    item_intercept: Array
    intercept: float
    steps: Sequence[Step]

    def along_principal_axes(self) -> Factors:
        """Return the same model with vectors turned so that the items' Gram matrix is diagonal.

        The first factor is then the one that tells most, and signs are settled: the greatest entry
        of each item factor is positive.
        """
        _, axes = np.linalg.eigh(self.items.T @ self.items)
        axes = axes[:, ::-1]
        turned = self.items @ axes
        greatest = turned[np.argmax(np.abs(turned), axis=0), np.arange(axes.shape[1])]
        axes = axes * np.where(greatest < 0, -1.0, 1.0)
        return replace(self, users=self.users @ axes, items=self.items @ axes)


@dataclass(frozen=True)
class _Block:
    """Rows of one side with the places of the other side that they rate, padded by `weight` 0."""

    rows: NDArray[np.int64]
    others: NDArray[np.int64]
    values: Array
    weight: Array


def factorize(ratings: Ratings, settings: Settings) -> Factors:
    """Learn the vectors of users and items.

    Parameters
    ----------
    ratings : Ratings
        At least one pair.
    settings : Settings
        How.

    Notes
    -----
    The last half step is of the users: their vectors are the exact solution for the item vectors,
    so a user folded in later with the same ratings gets the same vector.
    """
    explicit = settings.alpha is None
    mean = float(ratings.value.mean()) if explicit else 0.0
    values = ratings.value - mean
    shape, width = (len(ratings.users), len(ratings.items)), settings.factors
    by_user = _blocks(ratings.user, ratings.item, values, shape[0], width)
    by_item = _blocks(ratings.item, ratings.user, values, shape[1], width)
    generator = np.random.default_rng(settings.seed)
    # The last column is the bias.
    users = np.zeros((shape[0], width + 1))
    items = np.zeros((shape[1], width + 1))
    items[:, :width] = generator.normal(0.0, _SPREAD, (shape[1], width))
    steps: list[Step] = []
    for _ in range(settings.iterations):
        begun = time.perf_counter()
        _solve(users, items, by_user, settings)
        _solve(items, users, by_item, settings)
        loss = _loss(ratings, values, users, items, settings)
        steps.append(Step(loss, round((time.perf_counter() - begun) * 1000)))
        if settings.min_progress is not None and len(steps) > 1:
            before = steps[-2].loss
            if before - loss < settings.min_progress * before:
                break
    _solve(users, items, by_user, settings)
    return Factors(
        users[:, :width], items[:, :width], users[:, width], items[:, width], mean, steps
    ).along_principal_axes()


def _blocks(
    rows: NDArray[np.int64], others: NDArray[np.int64], values: Array, count: int, width: int
) -> list[_Block]:
    """Gather the ratings of each row, rows of about as many ratings together."""
    order = np.argsort(rows, kind="stable")
    others, values = others[order], values[order]
    counts = np.bincount(rows, minlength=count)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    ranked = np.argsort(-counts, kind="stable")
    blocks, begin = [], 0
    while begin < count:
        longest = int(counts[ranked[begin]])
        size = max(1, min(_BLOCK // max(longest, 1), _EQUATIONS // (width + 1) ** 2))
        chosen = ranked[begin : begin + size]
        reach = np.arange(longest)[None, :]
        inside = reach < counts[chosen][:, None]
        places = np.where(inside, starts[chosen][:, None] + reach, 0)
        blocks.append(
            _Block(
                chosen,
                np.where(inside, others[places], 0),
                np.where(inside, values[places], 0.0),
                inside.astype(float),
            )
        )
        begin += size
    return blocks


def _solve(target: Array, fixed: Array, blocks: Sequence[_Block], settings: Settings) -> None:
    """Solve every row of `target`, holding `fixed`; the last column of both is the bias."""
    if settings.alpha is None:
        _solve_explicit(target, fixed, blocks, settings)
    else:
        _solve_implicit(target, fixed, blocks, settings, settings.alpha)


def _solve_explicit(
    target: Array, fixed: Array, blocks: Sequence[_Block], settings: Settings
) -> None:
    design, bias = fixed.copy(), fixed[:, -1]
    design[:, -1] = 1.0
    for block in blocks:
        rows = design[block.others] * block.weight[:, :, None]
        turned = rows.transpose(0, 2, 1)
        wanted = (block.values - bias[block.others]) * block.weight
        total = block.weight.sum(axis=1)
        target[block.rows] = _ridge(turned @ rows, turned @ wanted[:, :, None], total, settings)


def _solve_implicit(
    target: Array, fixed: Array, blocks: Sequence[_Block], settings: Settings, alpha: float
) -> None:
    design = fixed[:, :-1]
    gram = design.T @ design
    for block in blocks:
        rows = design[block.others]
        extra = alpha * block.values
        turned = rows.transpose(0, 2, 1)
        normal = gram + turned @ (rows * extra[:, :, None])
        wanted = turned @ (block.weight + extra)[:, :, None]
        total = len(design) + extra.sum(axis=1)
        target[block.rows, :-1] = _ridge(normal, wanted, total, settings)


def _ridge(normal: Array, wanted: Array, total: Array, settings: Settings) -> Array:
    """Solve a stack of ridge regressions; `total` is the weight of each one's observations."""
    ridge = np.full(len(total), settings.l2_reg)
    if settings.weigh_ridge:
        ridge = ridge * total
    diagonal = np.arange(normal.shape[1])
    normal[:, diagonal, diagonal] += np.maximum(ridge, LEAST_RIDGE)[:, None]
    return np.asarray(np.linalg.solve(normal, wanted)[:, :, 0])


def _loss(ratings: Ratings, values: Array, users: Array, items: Array, settings: Settings) -> float:
    """Return the weighted mean squared error over all pairs that count."""
    predicted = np.empty(len(values))
    for begin in range(0, len(values), _BLOCK):
        part = slice(begin, begin + _BLOCK)
        predicted[part] = np.einsum(
            "ij,ij->i", users[ratings.user[part], :-1], items[ratings.item[part], :-1]
        )
    if settings.alpha is None:
        predicted += users[ratings.user, -1] + items[ratings.item, -1]
        return float(np.mean((values - predicted) ** 2))
    confidence = 1.0 + settings.alpha * values
    seen = confidence * (1.0 - predicted) ** 2 - predicted**2
    everything = np.sum((users[:, :-1].T @ users[:, :-1]) * (items[:, :-1].T @ items[:, :-1]))
    weight = len(users) * len(items) + settings.alpha * values.sum()
    return float((seen.sum() + everything) / weight)
