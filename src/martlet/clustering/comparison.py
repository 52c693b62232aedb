"""How many clusters, after which transform: every candidate measured, one chosen.

A candidate has to pass two gates: no cluster is too small to act on, and clusters found again in
bootstrap samples agree with it (mean adjusted Rand index). Among those that pass, silhouette and
Davies-Bouldin decide by the mean of their ranks, stability between equals. HDBSCAN stands in the
same table; it is not chosen, because it leaves customers without a cluster and has no rule for
customers who come later.

References
----------
Hennig (2007), "Cluster-wise assessment of cluster stability".
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from martlet.clustering.hdbscan import hdbscan
from martlet.clustering.lloyd import kmeans
from martlet.clustering.transforms import Column, learn_columns, standardized
from martlet.clustering.validity import (
    Silhouette,
    adjusted_rand,
    calinski_harabasz,
    davies_bouldin,
    silhouettes,
    simplified_silhouette,
)

__all__ = ["Candidate", "Comparison", "Rules", "compare"]

Array = NDArray[np.float64]
Labels = NDArray[np.intp]

#: Another transform must beat the first by so much silhouette, another number of clusters the
#: champion's: what people have got used to is not given up for noise.
NOTICEABLE = 0.01
#: HDBSCAN takes quadratic time: more rows than this are sampled.
DENSITY_ROWS = 2000
#: Resamples before a verdict that is clear already ends the stability check.
LEAST_RESAMPLES = 8


@dataclass(frozen=True)
class Rules:
    """What is compared and what a candidate has to pass.

    Attributes
    ----------
    transforms
        Candidates; the first is preferred.
    lowest, highest
        Numbers of clusters that may be chosen; 2 is always measured.
    starts, resamples
        Of k-means, and bootstrap samples.
    smallest_share, least_agreement
        The gates.
    scan_rows, silhouette_rows
        More rows are sampled for the comparison; more than that are drawn to be scored.
    with_density
        Whether HDBSCAN is measured too.
    """

    transforms: Sequence[str] = ("log", "yeo_johnson")
    lowest: int = 3
    highest: int = 10
    starts: int = 20
    resamples: int = 20
    smallest_share: float = 0.02
    least_agreement: float = 0.85
    scan_rows: int = 20_000
    silhouette_rows: int = 5_000
    with_density: bool = True


@dataclass(frozen=True)
class Candidate:
    """One clustering with everything measured about it."""

    method: str
    transform: str
    clusters: int
    labels: Labels
    centroids: Array
    inertia: float
    silhouette: Silhouette
    simplified_silhouette: float
    davies_bouldin: float
    calinski_harabasz: float
    smallest_share: float
    noise_share: float = 0.0
    agreement: float = math.nan
    least_agreement: float = math.nan
    resamples: int = 0
    passes: bool = False
    rank: float = math.nan
    verdict: str = ""


@dataclass(frozen=True)
class Comparison:
    """All candidates, the chosen one and the transform it lives in."""

    candidates: list[Candidate]
    chosen: Candidate
    columns: list[Column]
    reason: str
    rows: int


def compare(
    matrix: Array,
    rules: Rules,
    generator: np.random.Generator,
    used: tuple[str, int] | None = None,
) -> Comparison:
    """Measure every candidate and choose one.

    Parameters
    ----------
    matrix : (rows, columns)
        Original values, NaN for missing.
    rules : Rules
        What to compare.
    generator : numpy.random.Generator
        For sampling, starts and bootstrap.
    used : (str, int), optional
        Transform and number of clusters of the version in use.
    """
    rows = matrix
    if len(matrix) > rules.scan_rows:
        rows = matrix[np.sort(generator.choice(len(matrix), rules.scan_rows, replace=False))]
    learned = {name: learn_columns(matrix, name) for name in rules.transforms}
    points = {name: standardized(rows, columns) for name, columns in learned.items()}
    found = {name: _measured(name, points[name], rules, generator) for name in rules.transforms}
    transform = _choose_transform(found, rules, used)
    found[transform] = [
        _with_stability(item, points[transform], rules, generator) for item in found[transform]
    ]
    judged, reason = _choose(found[transform], rules, used)
    others = [item for name in found if name != transform for item in found[name]]
    skipped = f"transform {transform} is used"
    candidates = judged + [dataclasses.replace(item, verdict=skipped) for item in others]
    chosen = next(item for item in judged if item.verdict == "chosen")
    if rules.with_density:
        candidates.append(_density(transform, points[transform], rules, generator))
    return Comparison(candidates, chosen, learned[transform], reason, len(rows))


def _measured(
    transform: str, points: Array, rules: Rules, generator: np.random.Generator
) -> list[Candidate]:
    different = len(np.unique(points, axis=0))
    counts = range(2, min(rules.highest, different - 1) + 1)
    fits = [kmeans(points, clusters, generator, rules.starts) for clusters in counts]
    scores = silhouettes(
        points, [fit.labels for fit in fits], generator, scored=rules.silhouette_rows
    )
    return [
        Candidate(
            "kmeans",
            transform,
            clusters,
            fit.labels,
            fit.centroids,
            fit.inertia,
            score,
            simplified_silhouette(points, fit.centroids),
            davies_bouldin(points, fit.labels),
            calinski_harabasz(points, fit.labels),
            float(np.bincount(fit.labels, minlength=clusters).min()) / len(points),
        )
        for clusters, fit, score in zip(counts, fits, scores, strict=True)
    ]


def _choose_transform(
    found: dict[str, list[Candidate]], rules: Rules, used: tuple[str, int] | None
) -> str:
    """Take the transform with the best silhouette that may be chosen, the first one in doubt."""

    def best(name: str) -> float:
        allowed = [item for item in found[name] if item.clusters >= rules.lowest]
        large = [item for item in allowed if item.smallest_share >= rules.smallest_share]
        return max((item.silhouette.value for item in large or allowed), default=-math.inf)

    names = list(found)
    if used is not None and used[0] in found:
        names.sort(key=lambda name: name != used[0])
    winner = names[0]
    for name in names[1:]:
        if best(name) > best(winner) + NOTICEABLE:
            winner = name
    return winner


def _with_stability(
    item: Candidate, points: Array, rules: Rules, generator: np.random.Generator
) -> Candidate:
    """Cluster bootstrap samples and compare with the clustering of all rows."""
    agreements: list[float] = []
    rows = len(points)
    starts = max(1, rules.starts // 2)
    for _ in range(rules.resamples):
        weights = np.bincount(generator.integers(rows, size=rows), minlength=rows).astype(float)
        again = kmeans(points, item.clusters, generator, starts, weights)
        agreements.append(adjusted_rand(item.labels, again.labels))
        if len(agreements) >= LEAST_RESAMPLES:
            error = float(np.std(agreements, ddof=1)) / math.sqrt(len(agreements))
            if abs(float(np.mean(agreements)) - rules.least_agreement) > 3 * error:
                break
    if not agreements:
        return item
    return dataclasses.replace(
        item,
        agreement=float(np.mean(agreements)),
        least_agreement=min(agreements),
        resamples=len(agreements),
    )


def _verdict(item: Candidate, rules: Rules) -> str:
    """Say which gate a candidate fails; empty when it passes."""
    if item.smallest_share < rules.smallest_share:
        return f"smallest cluster has {item.smallest_share:.2%} of the rows"
    if item.resamples and item.agreement < rules.least_agreement:
        return f"bootstrap samples agree by {item.agreement:.3f} only"
    if item.clusters < rules.lowest:
        return f"fewer than {rules.lowest} clusters"
    return ""


def _choose(
    candidates: list[Candidate], rules: Rules, used: tuple[str, int] | None
) -> tuple[list[Candidate], str]:
    judged = [dataclasses.replace(item, verdict=_verdict(item, rules)) for item in candidates]
    judged = [dataclasses.replace(item, passes=not item.verdict) for item in judged]
    passing = [item for item in judged if item.passes]
    ranks = _ranks(passing)
    judged = [dataclasses.replace(item, rank=ranks.get(item.clusters, math.nan)) for item in judged]
    if passing:
        order = sorted(passing, key=lambda item: (ranks[item.clusters], -item.agreement))
        chosen = order[0]
        reason = "best ranks of silhouette and Davies-Bouldin among those that pass the gates"
        kept = [item for item in order if used == (item.transform, item.clusters)]
        if kept and kept[0].silhouette.value >= chosen.silhouette.value - NOTICEABLE:
            chosen, reason = kept[0], "as in the version before, and no worse than the best"
    else:
        allowed = [item for item in judged if item.clusters >= rules.lowest] or judged
        # Nothing passes: the most repeatable of those with large enough clusters.
        chosen = max(
            allowed,
            key=lambda item: (
                item.smallest_share >= rules.smallest_share,
                item.agreement if item.resamples else item.silhouette.value,
            ),
        )
        reason = f"no candidate passes the gates, this one comes nearest ({chosen.verdict})"
    named = [
        dataclasses.replace(item, verdict="chosen")
        if item.clusters == chosen.clusters
        else dataclasses.replace(item, verdict=item.verdict or "passes, ranks lower")
        for item in judged
    ]
    return named, reason


def _ranks(passing: Sequence[Candidate]) -> dict[int, float]:
    """Mean of the ranks by silhouette (more is better) and by Davies-Bouldin (less is better)."""
    by_silhouette = sorted(passing, key=lambda item: -item.silhouette.value)
    by_bouldin = sorted(passing, key=lambda item: item.davies_bouldin)
    return {
        item.clusters: 1 + (by_silhouette.index(item) + by_bouldin.index(item)) / 2
        for item in passing
    }


def _density(
    transform: str, points: Array, rules: Rules, generator: np.random.Generator
) -> Candidate:
    """Measure HDBSCAN on the rows or on a sample of them."""
    if len(points) > DENSITY_ROWS:
        points = points[np.sort(generator.choice(len(points), DENSITY_ROWS, replace=False))]
    smallest = max(5, math.ceil(rules.smallest_share * len(points)))
    labels = hdbscan(points, smallest)
    clusters = int(labels.max(initial=-1)) + 1
    noise = float((labels < 0).mean()) if len(labels) else math.nan
    share = float(np.bincount(labels[labels >= 0]).min()) / len(points) if clusters else 0.0
    centroids = np.array([points[labels == place].mean(axis=0) for place in range(clusters)])
    verdict = f"leaves {noise:.1%} without a cluster and has no rule for new rows"
    return Candidate(
        "hdbscan",
        transform,
        clusters,
        labels,
        centroids,
        math.nan,
        silhouettes(points, [labels])[0],
        math.nan,
        davies_bouldin(points, labels),
        calinski_harabasz(points, labels),
        share,
        noise,
        verdict=verdict,
    )
