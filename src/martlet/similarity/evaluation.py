"""What recommenders are worth on later purchases, with intervals over users.

References
----------
Efron and Tibshirani (1993), "An introduction to the bootstrap", section 13.3 (percentile
intervals). Castells, Hurley and Vargas (2015), "Novelty and diversity in recommender systems",
section 26.4.3 (novelty as self-information).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from martlet.similarity.history import Window
from martlet.similarity.judging import TIE, Blend, Learning, Task, gains, scores

__all__ = ["EVALUATION", "TARGETS", "evaluate"]

#: Which purchases count, and which products are recommended: all, those bought before, others.
TARGETS = ("all", "repeat", "discovery")
_BASELINES = ("popularity", "personal_frequency")
#: Gains are counted in NDCG and, as ``recall_gain_...``, in recall.
_GAINS = {
    f"{prefix}gain_over_{baseline}": (metric, baseline)
    for prefix, metric in (("", "ndcg_at_10"), ("recall_", "recall_at_10"))
    for baseline in _BASELINES
}
_BOUNDS = ("ndcg", *_GAINS)
#: Figures of one recommender and target.
EVALUATION = (
    "ndcg_at_10", "hit_rate_at_10", "recall_at_10", "mean_average_precision_at_10", "coverage",
    "gini", "novelty", *_GAINS, *(f"{name}_{end}" for name in _BOUNDS for end in ("low", "high")),
)  # fmt: skip
_RESAMPLES = 500

Row = Mapping[str, Any]


def evaluate(
    learning: Learning,
    measures: tuple[str, ...],
    blend: Blend,
    task: Task,
    before: Window,
    after: Window,
) -> list[Row]:
    """Judge the blend, each measure alone, popularity and the user's own frequency on `after`.

    Parameters
    ----------
    learning : Learning
        Settings of the measures.
    measures : tuple of str
        Measures judged alone.
    blend : Blend
        The best blend found.
    task : Task
        What is predicted, for how many users.
    before, after : Window
        Purchases to learn from and to judge by.

    Returns
    -------
    list of dict
        One entry a recommender and target: ``recommender``, ``target``, ``judged_user_count`` and
        `EVALUATION`.
    """
    users, wanted = task.targets(before, after)
    if not len(users):
        return []
    seen = before.bought(10**9)[users].toarray() > 0
    known = {"blend": blend} | blend.baselines()
    for measure in measures:
        known[measure.lower()] = replace(
            blend, measure=measure, similarity=1.0, frequency=0.0, popularity=TIE
        )
    found = {}
    near = learning.nears(sorted({b.measure for b in known.values()}), before)
    for name, one in known.items():
        score = scores(before, near[one.measure], one, users, learning.longest)
        for target, row in _by_target(score, wanted, seen, before):
            found[name, target] = row
    drawn = {
        count: _drawn(count) for count in {len(row[0]["ndcg_at_10"]) for row in found.values()}
    }
    return [
        {"recommender": name, "target": target}
        | _figures(row, {other: found[other, target][0] for other in _BASELINES}, drawn)
        for (name, target), row in found.items()
    ]


def _by_target(score: Any, wanted: Any, seen: Any, before: Window) -> Iterator[tuple[str, Any]]:
    """Yield the target with metrics by row, and figures of the lists as a whole."""
    for target in TARGETS:
        allowed = {"all": seen | True, "repeat": seen, "discovery": ~seen}[target]
        asked = (wanted & allowed).any(axis=1)
        if not asked.any():
            continue
        masked = np.where(allowed[asked], score[asked], -np.inf)
        best, rows = gains(masked, (wanted & allowed)[asked])
        yield target, (rows, _spread(best, before))


def _spread(best: NDArray[np.int64], before: Window) -> dict[str, float]:
    """Return coverage, Gini coefficient and novelty of lists of items."""
    size = before.shape[1]
    shown = np.bincount(best[best >= 0], minlength=size).astype(float)
    ordered = np.sort(shown)
    total = max(float(ordered.sum()), 1.0)
    bought = before.bought(10**9)
    buyers = np.asarray(bought.sum(axis=0)).ravel()
    share = np.maximum(buyers, 0.5) / np.count_nonzero(np.diff(bought.indptr))
    return {
        "coverage": float((shown > 0).mean()),
        "gini": float((2 * np.arange(1, size + 1) - size - 1) @ ordered / (size * total)),
        "novelty": float(-(shown / total) @ np.log2(share)),
    }


def _drawn(count: int) -> NDArray[np.float64]:
    """Return how often each user is drawn, one row a sample: the same for all recommenders."""
    rng = np.random.default_rng(0)
    return rng.multinomial(count, np.full(count, 1 / count), size=_RESAMPLES) / count


def _figures(own: Any, baselines: Mapping[str, Any], weights: Any) -> dict[str, Any]:
    """Return means, and the gains over both baselines, with 95 % intervals over the same users."""
    rows, spread = own
    gained = {
        name: rows[metric] - baselines[baseline][metric]
        for name, (metric, baseline) in _GAINS.items()
    }
    drawn = np.stack([rows["ndcg_at_10"], *gained.values()], axis=1)
    low, high = np.quantile(weights[len(drawn)] @ drawn, [0.025, 0.975], axis=0)
    result: dict[str, Any] = {"judged_user_count": len(drawn)}
    means = {name: values.mean() for name, values in (rows | gained).items()}
    bounds = {f"{name}_low": low[place] for place, name in enumerate(_BOUNDS)}
    bounds |= {f"{name}_high": high[place] for place, name in enumerate(_BOUNDS)}
    result |= {name: float(value) for name, value in (means | bounds).items()}
    return result | dict(spread)
