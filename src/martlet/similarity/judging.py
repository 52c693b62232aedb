"""Recommendations put together of parts, and judged by what was bought next.

A recommendation's score is similarity to the user's history, plus how often the user bought the
item (the latest orders counting most), plus popularity (the latest purchases counting most), each
with a weight. Measure, decays and weights are chosen on purchases after the ones that were learned
from; the figures reported come from still later ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from martlet.similarity.history import DAY, Window
from martlet.similarity.measures import Neighbours, Pairs, similarity

__all__ = ["METRICS", "TIE", "Blend", "Learning", "Task", "choose", "gains", "scores"]

#: What a list of ten is judged by.
METRICS = (
    "ndcg_at_10", "hit_rate_at_10", "recall_at_10", "mean_average_precision_at_10", "coverage",
)  # fmt: skip
_LENGTH = 10
_SIMILARITY = (0.5, 2.0, 7.0, 20.0, 200.0)
_FREQUENCY = (0.03, 0.1, 0.3, 0.7, 1.5, 4.0)
_DECAYS = (0.97, 0.9, 0.8)
#: Half-lives of popularity that are tried, as shares of the time learned from.
_HALF_LIVES = (0.3, 0.1, 0.03)
#: Candidates of a user in the choice besides the own items: most popular, and nearest by a measure.
_POPULAR = 100
_NEAREST = 50
_CHUNK = 500
#: Of a part that must not decide, only break ties.
TIE = 1e-6


@dataclass(frozen=True)
class Blend:
    """How a score is put together.

    Attributes
    ----------
    kind
        blend, or the baseline it is: popularity, personal_frequency.
    """

    measure: str
    similarity: float = 1.0
    frequency: float = 0.0
    popularity: float = 1.0
    recency_decay: float = 0.8
    frequency_decay: float = 1.0
    popularity_half_life_days: float = 0.0
    kind: str = "blend"

    def as_parameters(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    def baselines(self) -> dict[str, Blend]:
        """Return what it must beat: what sells best, and what the user bought most often."""
        plain = Blend(self.measure, TIE * TIE)
        return {
            "popularity": replace(plain, kind="popularity"),
            "personal_frequency": replace(
                plain, frequency=1.0, popularity=TIE, kind="personal_frequency"
            ),
        }


@dataclass(frozen=True)
class Task:
    """What is predicted.

    Attributes
    ----------
    next_order
        Only each user's next order counts, not all later ones.
    most
        Users judged, at most.
    criterion
        What blends are chosen by: the order of the ten products, or how much is named.
    """

    next_order: bool
    most: int
    criterion: str = "ndcg_at_10"

    def targets(self, before: Window, after: Window) -> tuple[NDArray[np.int64], Any]:
        """Return users with purchases both before and after, and what they bought after."""
        after = after.next_orders() if self.next_order else after
        users = np.intersect1d(np.unique(before.user), np.unique(after.user))
        if len(users) > self.most:
            users = np.sort(np.random.default_rng(0).choice(users, self.most, replace=False))
        return users, after.bought(10**9)[users].toarray() > 0


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
        return self.nears((measure,), window)[measure]

    def nears(self, measures: Iterable[str], window: Window) -> dict[str, Neighbours]:
        """Return the neighbours by each measure; those that count the same pairs count once."""
        pairs = Pairs(window, self.longest)
        return {
            one: window.found(one, self, partial(self._near, one, window, pairs))
            for one in measures
        }

    def _near(self, measure: str, window: Window, pairs: Pairs) -> Neighbours:
        found = similarity(
            measure, window, self.longest, self.shrinkage, self.ridge, self.gap_decay, pairs
        )
        return Neighbours(found, self.neighbours)


def scores(
    window: Window, near: Neighbours, blend: Blend, users: NDArray[np.int64], longest: int
) -> Any:
    """Return the scores of all items for some users, dense."""
    recent = (window.recent(longest, blend.recency_decay)[users] @ near.matrix).toarray()
    frequency = window.frequency(longest, blend.frequency_decay)[users].toarray()
    return (
        blend.similarity * recent
        + blend.frequency * frequency
        + blend.popularity * window.popularity(blend.popularity_half_life_days)[None, :]
    )


def gains(score: Any, wanted: Any, size: Any = None) -> tuple[Any, dict[str, Any]]:
    """Return the ten best of each row (of equal scores the lower place), and metrics by row.

    `size` is the number of wanted items where `score` does not show all of them. What has the score
    -inf is no part of the list: its place is -1.
    """
    count = min(_LENGTH, score.shape[1])
    best = np.argpartition(-score, count - 1, axis=1)[:, :count]
    found = np.take_along_axis(score, best, axis=1)
    order = np.lexsort((best, -found), axis=1)
    best, found = np.take_along_axis(best, order, axis=1), np.take_along_axis(found, order, axis=1)
    hit = np.take_along_axis(wanted, best, axis=1) & np.isfinite(found)
    size = wanted.sum(axis=1) if size is None else size
    place = np.arange(1, count + 1)
    discount = 1 / np.log2(place + 1)
    ideal = np.cumsum(discount)[np.minimum(size, count) - 1]
    precision = np.cumsum(hit, axis=1) / place
    rows = {
        "ndcg_at_10": (hit * discount).sum(axis=1) / ideal,
        "hit_rate_at_10": hit.any(axis=1).astype(float),
        "recall_at_10": hit.sum(axis=1) / size,
        "mean_average_precision_at_10": (precision * hit).sum(axis=1) / np.minimum(size, count),
    }
    return np.where(np.isfinite(found), best, -1), rows


class _Search:
    """Blends tried one after another, each judged by the task's criterion for the same users.

    Only items that any blend could put first are looked at: the user's own, the most popular, and
    the nearest by each measure. So a blend costs little, however many items there are.
    """

    def __init__(
        self,
        learning: Learning,
        measures: tuple[str, ...],
        task: Task,
        before: Window,
        after: Window,
    ) -> None:
        self.users, wanted = task.targets(before, after)
        self.learning, self.before, self.criterion = learning, before, task.criterion
        self.near = learning.nears(measures, before)
        self._kept: dict[Any, Any] = {}
        days = float(np.ptp(before.time)) / DAY if len(before.time) else 0.0
        shares = [round(share * days, 3) for share in _HALF_LIVES if share * days >= 1]
        self.half_lives = [0.0, *shares]
        if len(self.users):
            self.place = self._candidates()
            self.wanted = self._of_candidates(wanted) & (self.place >= 0)
            self.size = wanted.sum(axis=1)

    def _candidates(self) -> NDArray[np.int64]:
        """Return users x candidates: places of items, -1 where a user has fewer than others."""
        listed = np.zeros(self.before.shape[1], dtype=bool)
        for days in self.half_lives:
            listed[np.argsort(-self.before.popularity(days), kind="stable")[:_POPULAR]] = True
        rows, columns = [], []
        own = self.before.bought(self.learning.longest)
        recent = self.before.recent(self.learning.longest, Blend.recency_decay)
        for begin in range(0, len(self.users), _CHUNK):
            some = self.users[begin : begin + _CHUNK]
            mask = (own[some].toarray() > 0) | listed[None, :]
            for near in self.near.values():
                score = (recent[some] @ near.matrix).toarray()
                count = min(_NEAREST, score.shape[1])
                best = np.argpartition(-score, count - 1, axis=1)[:, :count]
                np.put_along_axis(mask, best, values=True, axis=1)
            row, column = np.nonzero(mask)
            rows.append(row + begin)
            columns.append(column)
        row, column = np.concatenate(rows), np.concatenate(columns)
        place = np.arange(len(row)) - np.searchsorted(row, row)
        result = np.full((len(self.users), int(place.max()) + 1), -1)
        result[row, place] = column
        return result

    def _of_candidates(self, matrix: Any) -> Any:
        """Return users x candidates of users x items, dense or sparse."""
        found = []
        for begin in range(0, len(self.users), _CHUNK):
            part = matrix[begin : begin + _CHUNK]
            dense = part if isinstance(part, np.ndarray) else part.toarray()
            found.append(np.take_along_axis(dense, self.place[begin : begin + _CHUNK], axis=1))
        return np.concatenate(found)

    def _part(self, key: Any, make: Any) -> Any:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def gained(self, blend: Blend) -> NDArray[np.float64]:
        """Return the criterion of each user."""
        before, longest, days = self.before, self.learning.longest, blend.popularity_half_life_days
        score = blend.popularity * self._part(days, lambda: before.popularity(days)[self.place])
        decay = blend.frequency_decay
        score = score + blend.frequency * self._part(
            ("frequency", decay),
            lambda: self._of_candidates(before.frequency(longest, decay)[self.users]),
        )
        if blend.similarity > TIE:
            score = score + blend.similarity * self._part(
                (blend.measure, blend.recency_decay),
                lambda: self._of_candidates(
                    before.recent(longest, blend.recency_decay)[self.users]
                    @ self.near[blend.measure].matrix
                ),
            )
        score = np.where(self.place >= 0, score, -np.inf)
        found: NDArray[np.float64] = gains(score, self.wanted, self.size)[1][self.criterion]
        return found

    def best(self, blends: list[Blend]) -> Blend:
        """Return the best of them; of equal ones the first."""
        means = [float(self.gained(blend).mean()) for blend in blends]
        return blends[int(np.argmax(np.round(means, 9)))]


def choose(
    learning: Learning,
    measures: tuple[str, ...],
    task: Task,
    before: Window,
    after: Window,
) -> tuple[Blend, bool]:
    """Return the best blend found on `after`, and whether it beats both baselines there.

    Part after part is tried: how fast popularity ages, the weight and ageing of the user's own
    purchases, then measure and weight of similarity. A gain over the better baseline of less than
    two standard errors of the paired difference is luck, many blends having been tried.
    """
    search = _Search(learning, measures, task, before, after)
    half_lives = search.half_lives
    plain = Blend(measures[0], TIE * TIE, TIE)
    if not len(search.users):
        return plain, False
    found = search.best([replace(plain, popularity_half_life_days=days) for days in half_lives])
    found = search.best([found, *(replace(found, frequency=one) for one in _FREQUENCY)])
    found = search.best([found, *(replace(found, frequency_decay=one) for one in _DECAYS)])
    found = search.best(
        [found, *(replace(found, popularity_half_life_days=days) for days in half_lives)]
    )
    found = search.best([found, *_with_similarity(found, measures)])
    found = search.best([found, *(replace(found, recency_decay=one) for one in (0.6, 0.95))])
    found = search.best([found, *(replace(found, frequency=found.frequency * f) for f in (0.3, 3))])
    plain_gains = [search.gained(one) for one in found.baselines().values()]
    better = max(plain_gains, key=lambda gained: float(gained.mean()))
    gain = search.gained(found) - better
    return found, bool(gain.mean() > 2 * float(np.std(gain)) / np.sqrt(len(gain)))


def _with_similarity(found: Blend, measures: tuple[str, ...]) -> list[Blend]:
    """Return the blend with similarity, with and without the user's own purchases."""
    return [
        replace(found, measure=measure, similarity=one, frequency=own)
        for measure in measures
        for one in _SIMILARITY
        for own in {found.frequency: None, TIE: None}
    ]
