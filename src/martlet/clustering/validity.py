"""How good a clustering is: silhouette, Davies-Bouldin, Calinski-Harabasz, adjusted Rand.

References
----------
Rousseeuw (1987), "Silhouettes". Davies and Bouldin (1979), "A cluster separation measure".
Calinski and Harabasz (1974), "A dendrite method for cluster analysis". Hruschka, de Castro and
Campello (2004), "Evolutionary algorithms for clustering gene-expression data" (simplified
silhouette). Hubert and Arabie (1985), "Comparing partitions".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from martlet.clustering.lloyd import squared_distances

__all__ = [
    "Silhouette",
    "adjusted_rand",
    "calinski_harabasz",
    "davies_bouldin",
    "silhouettes",
    "simplified_silhouette",
]

Array = NDArray[np.float64]
Labels = NDArray[np.intp]

#: Distances are computed so many rows by so many at once: they stay in the processor's cache.
TILE = 500


@dataclass(frozen=True)
class Silhouette:
    """Mean silhouette of a clustering.

    Attributes
    ----------
    value
        The mean; NaN when there is one cluster only.
    standard_error
        Of drawing rows; 0 when every row was scored.
    scored
        Rows that were scored.
    """

    value: float
    standard_error: float
    scored: int


def silhouettes(
    points: Array,
    labelings: Sequence[Labels],
    generator: np.random.Generator | None = None,
    scored: int | None = None,
) -> list[Silhouette]:
    """Return the mean silhouette of several clusterings of the same rows.

    Every distance is computed once for all clusterings. With `scored`, that many rows drawn without
    replacement are scored, each exactly, against **all** rows: an unbiased estimate of the mean
    over all rows, with its standard error. (Scoring a sample against itself, the usual shortcut,
    is neither.)

    Parameters
    ----------
    points : (rows, columns)
    labelings : sequence of (rows,)
        Each from 0 up; -1 is noise, which is neither scored nor a neighbour.
    generator : numpy.random.Generator, optional
        Needed to draw rows.
    scored : int, optional
        How many rows to score; all when it is not below their number.
    """
    rows = len(points)
    chosen = np.arange(rows)
    if scored is not None and scored < rows:
        assert generator is not None
        chosen = np.sort(generator.choice(rows, scored, replace=False))
    counts = [int(labels.max(initial=-1)) + 1 for labels in labelings]
    members = np.zeros((rows, sum(counts)))
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(int)
    for labels, start in zip(labelings, starts[:-1], strict=True):
        seen = np.flatnonzero(labels >= 0)
        members[seen, start + labels[seen]] = 1.0
    sizes = members.sum(axis=0)
    sums = np.zeros((len(chosen), sum(counts)))
    for begin in range(0, len(chosen), TILE):
        part = chosen[begin : begin + TILE]
        for first in range(0, rows, TILE):
            distances = squared_distances(points[part], points[first : first + TILE])
            # The distance to itself is 0, whatever rounding made of it.
            itself = np.flatnonzero((part >= first) & (part < first + TILE))
            distances[itself, part[itself] - first] = 0.0
            np.sqrt(distances, out=distances)
            sums[begin : begin + TILE] += distances @ members[first : first + TILE]
    return [
        _mean(sums[:, start : start + count], sizes[start : start + count], labels[chosen], rows)
        for labels, start, count in zip(labelings, starts, counts, strict=False)
    ]


def _mean(sums: Array, sizes: Array, labels: Labels, rows: int) -> Silhouette:
    kept = np.flatnonzero(labels >= 0)
    labels, sums = labels[kept], sums[kept]
    if len(sizes) < 2 or not len(kept):
        return Silhouette(math.nan, math.nan, len(kept))
    places = np.arange(len(kept))
    own = sums[places, labels] / np.maximum(sizes[labels] - 1, 1)
    others = sums / sizes
    others[places, labels] = np.inf
    other = others.min(axis=1)
    larger = np.maximum(own, other)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.where((sizes[labels] > 1) & (larger > 0), (other - own) / larger, 0.0)
    drawn = len(kept) < rows
    error = float(values.std(ddof=1)) / math.sqrt(len(kept)) if drawn and len(kept) > 1 else 0.0
    return Silhouette(float(values.mean()), error, len(kept))


def simplified_silhouette(points: Array, centroids: Array) -> float:
    """Return the silhouette by distances to centroids instead of rows: linear in the rows."""
    if len(centroids) < 2:
        return math.nan
    distances = np.sqrt(np.partition(squared_distances(points, centroids), 1, axis=1)[:, :2])
    own, other = distances[:, 0], distances[:, 1]
    return float(np.divide(other - own, other, out=np.zeros_like(own), where=other > 0).mean())


def _centres(points: Array, labels: Labels) -> tuple[Array, Array, Array]:
    """Return sizes, centres and squared distances to the own centre of rows that are not noise."""
    clusters = int(labels.max()) + 1
    sizes = np.bincount(labels, minlength=clusters).astype(float)
    sums = [np.bincount(labels, points[:, j], clusters) for j in range(points.shape[1])]
    centres = np.column_stack(sums) / sizes[:, None]
    return sizes, centres, ((points - centres[labels]) ** 2).sum(axis=1)


def davies_bouldin(points: Array, labels: Labels) -> float:
    """Return the mean over clusters of the worst (scatter + scatter) / distance of centres.

    Scatter is the mean distance to the centre, as in scikit-learn. Rows labelled -1 are left out.
    """
    kept = labels >= 0
    points, labels = points[kept], labels[kept]
    if not len(labels) or labels.max() < 1:
        return math.nan
    sizes, centres, squares = _centres(points, labels)
    scatter = np.bincount(labels, np.sqrt(squares)) / sizes
    gaps = np.sqrt(squared_distances(centres, centres))
    np.fill_diagonal(gaps, np.inf)
    with np.errstate(divide="ignore"):
        return float(((scatter[:, None] + scatter) / gaps).max(axis=1).mean())


def calinski_harabasz(points: Array, labels: Labels) -> float:
    """Return the ratio of the variance between to the variance within clusters."""
    kept = labels >= 0
    points, labels = points[kept], labels[kept]
    if not len(labels) or labels.max() < 1:
        return math.nan
    sizes, centres, squares = _centres(points, labels)
    between = float((sizes[:, None] * (centres - points.mean(axis=0)) ** 2).sum())
    within, clusters = float(squares.sum()), len(sizes)
    if within == 0:
        return math.inf
    return between / (clusters - 1) / (within / (len(points) - clusters))


def adjusted_rand(one: Labels, other: Labels) -> float:
    """Return the agreement of two clusterings: 1 for the same, 0 for chance."""
    width = int(other.max()) + 1
    table = np.bincount(one * width + other, minlength=(int(one.max()) + 1) * width)
    table = table.reshape(-1, width).astype(float)
    pairs = (table * (table - 1)).sum()
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    in_one, in_other = (rows * (rows - 1)).sum(), (columns * (columns - 1)).sum()
    total = len(one) * (len(one) - 1.0)
    expected = in_one * in_other / total if total else 0.0
    most = (in_one + in_other) / 2
    return 1.0 if most == expected else float((pairs - expected) / (most - expected))
