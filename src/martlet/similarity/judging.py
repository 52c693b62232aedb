"""Recommendations judged by what was bought next, and the choice of their parts.

A recommendation's score is similarity to the user's history, plus how often the user bought the
item, plus popularity, each with a weight. Measure and weights are chosen on purchases after
the ones that were learned from; the figures reported come from still later ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from martlet.similarity.history import Window
from martlet.similarity.measures import Neighbours, similarity

__all__ = ["METRICS", "Blend", "Learning", "choose", "judge", "scores"]

#: What a list of ten is judged by.
METRICS = (
    "ndcg_at_10", "hit_rate_at_10", "recall_at_10", "mean_average_precision_at_10", "coverage",
)  # fmt: skip
_LENGTH = 10
_SIMILARITY = (2.0, 20.0, 200.0)
_FREQUENCY = (0.0, 0.1, 0.5, 3.0)
_RECENCY = (0.8,)
#: Scores that the choice looks at, so that many items are judged by fewer users.
_CHOICE_SCORES = 6_000_000
#: Of a part that must not decide, only break ties.
_TIE = 1e-6


@dataclass(frozen=True)
class Blend:
    """How a score is put together."""

    measure: str
    similarity: float = 1.0
    frequency: float = 0.0
    popularity: float = 1.0
    recency_decay: float = 0.9

    def as_parameters(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Learning:
    """Settings of the measures."""

    longest: int
    neighbours: int
    shrinkage: float
    ridge: float
    gap_decay: float

    def near(self, measure: str, window: Window) -> Neighbours:
        """Return the neighbours by a measure."""
        found = similarity(
            measure, window, self.longest, self.shrinkage, self.ridge, self.gap_decay
        )
        return Neighbours(found, self.neighbours)


def _parts(
    window: Window, near: Neighbours, users: NDArray[np.int64], decay: float, longest: int
) -> tuple[Any, Any]:
    recent = window.recent(longest, decay)[users] @ near.matrix
    return recent.toarray(), window.frequency(longest)[users].toarray()


def scores(
    window: Window, near: Neighbours, blend: Blend, users: NDArray[np.int64], longest: int
) -> Any:
    """Return the scores of all items for some users, dense."""
    recent, frequency = _parts(window, near, users, blend.recency_decay, longest)
    return (
        blend.similarity * recent
        + blend.frequency * frequency
        + blend.popularity * window.popularity()[None, :]
    )


def _targets(before: Window, after: Window, most: int) -> tuple[NDArray[np.int64], Any]:
    """Return users with purchases both before and after, and what they bought after."""
    users = np.intersect1d(np.unique(before.user), np.unique(after.user))
    if len(users) > most:
        users = np.sort(np.random.default_rng(0).choice(users, most, replace=False))
    return users, after.bought(10**9)[users].toarray() > 0


def _gains(score: Any, wanted: Any) -> tuple[Any, Any, dict[str, Any]]:
    """Return the ten best of each row, whether they were bought, and metrics by row."""
    count = min(_LENGTH, score.shape[1])
    best = np.argpartition(-score, count - 1, axis=1)[:, :count]
    found = np.take_along_axis(score, best, axis=1)
    best = np.take_along_axis(best, np.lexsort((best, -found), axis=1), axis=1)
    hit = np.take_along_axis(wanted, best, axis=1)
    size = wanted.sum(axis=1)
    place = np.arange(1, count + 1)
    discount = 1 / np.log2(place + 1)
    ideal = np.cumsum(discount)[np.minimum(size, count) - 1]
    precision = np.cumsum(hit, axis=1) / place
    rows = {
        "ndcg_at_10": (hit * discount).sum(axis=1) / ideal,
        "hit_rate_at_10": hit.any(axis=1),
        "recall_at_10": hit.sum(axis=1) / size,
        "mean_average_precision_at_10": (precision * hit).sum(axis=1) / np.minimum(size, count),
    }
    return best, hit, rows


def _rank(score: Any, wanted: Any) -> dict[str, float]:
    """Judge the ten best of each row; of equal scores the lower place wins."""
    best, _, rows = _gains(score, wanted)
    means = {name: float(np.mean(values)) for name, values in rows.items()}
    return means | {"coverage": float(len(np.unique(best)) / score.shape[1])}


def choose(
    learning: Learning, measures: tuple[str, ...], before: Window, after: Window, most: int
) -> Blend:
    """Return the measure and weights with the best NDCG on `after`; of equal ones the first.

    What is not better than the better baseline (popularity, or the user's own most frequent items)
    by more than two standard errors of the paired difference is luck, many having been tried: then
    the baseline decides.
    """
    users, wanted = _targets(before, after, min(most, max(100, _CHOICE_SCORES // before.shape[1])))
    if not len(users):
        return Blend(measures[0])
    popular = np.tile(before.popularity(), (len(users), 1))
    counts = before.frequency(learning.longest)[users].toarray()
    baselines = [
        (_gains(_TIE * counts + popular, wanted)[2]["ndcg_at_10"], (0.0, 1.0)),
        (_gains(counts + _TIE * popular, wanted)[2]["ndcg_at_10"], (1.0, _TIE)),
    ]
    plain, (own, common) = max(baselines, key=lambda baseline: float(baseline[0].mean()))
    best, found = plain, Blend(measures[0], _TIE * _TIE, own, common)
    for measure, decay in itertools.product(measures, _RECENCY):
        near = learning.near(measure, before)
        recent, frequency = _parts(before, near, users, decay, learning.longest)
        for one, two in itertools.product(_SIMILARITY, _FREQUENCY):
            gained = _gains(one * recent + two * frequency + popular, wanted)[2]["ndcg_at_10"]
            if gained.mean() > best.mean() + 1e-9:
                best, found = gained, Blend(measure, one, two, 1.0, decay)
    error = float(np.std(best - plain)) / np.sqrt(len(users))
    if best.mean() - plain.mean() <= 2 * error:
        return replace(found, similarity=_TIE * _TIE, frequency=own, popularity=common)
    return found


def judge(
    learning: Learning,
    measures: tuple[str, ...],
    blend: Blend,
    before: Window,
    after: Window,
    most: int,
) -> tuple[int, dict[str, Mapping[str, float]]]:
    """Judge the blend, each measure alone, popularity and the user's own frequency on `after`.

    Returns
    -------
    users : int
        How many were judged.
    metrics : dict
        `METRICS` by name of the recommender.
    """
    users, wanted = _targets(before, after, most)
    if not len(users):
        return 0, {}
    plain = {
        "popularity": Blend(blend.measure, 0.0, 0.0, 1.0),
        "personal_frequency": Blend(blend.measure, 0.0, 1.0, _TIE),
    }
    result: dict[str, Mapping[str, float]] = {}
    for measure in measures:
        near = learning.near(measure, before)
        alone = replace(blend, measure=measure, similarity=1.0, frequency=0.0, popularity=_TIE)
        known = {measure.lower(): alone}
        if measure == blend.measure:
            known |= {"recommender": blend, **plain}
        for name, one in known.items():
            found = scores(before, near, one, users, learning.longest)
            result[name] = _rank(found, wanted)
    return len(users), result
