"""K-means from several starts, on weighted rows.

References
----------
Lloyd (1982), "Least squares quantization in PCM". Arthur and Vassilvitskii (2007), "k-means++: the
advantages of careful seeding"; as in scikit-learn each centre is the best of a few candidates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Clusters", "kmeans", "nearest_centroid", "refine", "squared_distances"]

Array = NDArray[np.float64]
Labels = NDArray[np.intp]

#: A run ends when the centres move less than this share of the rows' variance.
TOLERANCE = 1e-5
MOST_ITERATIONS = 300

#: Every start gets a few iterations; only the most promising ones go on to the end.
SHORT_ITERATIONS = 4


@dataclass(frozen=True)
class Clusters:
    """A clustering of rows.

    Attributes
    ----------
    centroids : (clusters, columns)
    labels : (rows,)
        Place of the nearest centroid.
    inertia
        Weighted sum of squared distances to it.
    """

    centroids: Array
    labels: Labels
    inertia: float


def squared_distances(points: Array, centroids: Array) -> Array:
    """Return squared Euclidean distances, (rows, centroids), never below 0."""
    cross = points @ centroids.T
    cross *= -2
    cross += np.einsum("ij,ij->i", points, points)[:, None]
    cross += np.einsum("ij,ij->i", centroids, centroids)
    return np.maximum(cross, 0, out=cross)


def nearest_centroid(points: Array, centroids: Array) -> Labels:
    """Return the place of the nearest centroid of each row."""
    # The rows' own lengths do not change which centroid is nearest.
    scores = points @ (-2 * centroids.T)
    scores += np.einsum("ij,ij->i", centroids, centroids)
    return np.asarray(scores.argmin(axis=1))


def kmeans(
    points: Array,
    clusters: int,
    generator: np.random.Generator,
    starts: int = 10,
    weights: Array | None = None,
) -> Clusters:
    """Return the best of several runs of Lloyd's algorithm.

    Parameters
    ----------
    points : (rows, columns)
    clusters : int
        At most the number of different rows.
    generator : numpy.random.Generator
        For the starts.
    starts : int
        Short runs, each from centres chosen by k-means++; the best quarter goes on to the end.
    weights : (rows,), optional
        How often each row counts; 0 leaves it out of the centres, but it still gets a label.
    """
    weight = np.ones(len(points)) if weights is None else np.asarray(weights, dtype=float)
    counted = np.flatnonzero(weight > 0)
    rows, weight = points[counted], weight[counted]
    spread = float((weight[:, None] * (rows - np.average(rows, axis=0, weights=weight)) ** 2).sum())
    limit = TOLERANCE * spread / max(float(weight.sum()), 1.0)
    begun = []
    for _ in range(starts):
        seeds = _seed(rows, weight, clusters, generator)
        begun.append(_run(rows, weight, seeds, 0.0, SHORT_ITERATIONS))
    begun.sort(key=lambda centroids: _inertia(rows, weight, centroids))
    ended = [
        _run(rows, weight, centroids, limit, MOST_ITERATIONS)
        for centroids in begun[: max(1, math.ceil(starts / 4))]
    ]
    best = min(ended, key=lambda centroids: _inertia(rows, weight, centroids))
    return Clusters(best, nearest_centroid(points, best), _inertia(rows, weight, best))


def refine(points: Array, centroids: Array) -> Clusters:
    """Go on from given centroids until they rest."""
    weights = np.ones(len(points))
    limit = TOLERANCE * float(points.var(axis=0).sum())
    best = _run(points, weights, centroids, limit, MOST_ITERATIONS)
    return Clusters(best, nearest_centroid(points, best), _inertia(points, weights, best))


def _inertia(points: Array, weights: Array, centroids: Array) -> float:
    gaps = points - centroids[nearest_centroid(points, centroids)]
    return float(weights @ np.einsum("ij,ij->i", gaps, gaps))


def _seed(points: Array, weights: Array, clusters: int, generator: np.random.Generator) -> Array:
    """Choose starting centres by greedy k-means++."""
    tries = 2 + int(math.log(clusters))
    cumulated = np.cumsum(weights)
    chosen = [int(np.searchsorted(cumulated, generator.random() * cumulated[-1], side="right"))]
    gaps = squared_distances(points, points[chosen])[:, 0]
    while len(chosen) < clusters:
        cumulated = np.cumsum(weights * gaps)
        if cumulated[-1] <= 0:
            chosen.append(int(generator.integers(len(points))))
            continue
        draws = np.searchsorted(cumulated, generator.random(tries) * cumulated[-1], side="right")
        draws = np.minimum(draws, len(points) - 1)
        closer = np.minimum(gaps[:, None], squared_distances(points, points[draws]))
        winner = int((weights @ closer).argmin())
        chosen.append(int(draws[winner]))
        gaps = closer[:, winner]
    return points[chosen]


def _run(points: Array, weights: Array, centroids: Array, limit: float, iterations: int) -> Array:
    clusters = len(centroids)
    weighted = [points[:, place] * weights for place in range(points.shape[1])]
    for _ in range(iterations):
        labels = nearest_centroid(points, centroids)
        sizes = np.bincount(labels, weights, clusters)
        sums = np.column_stack([np.bincount(labels, column, clusters) for column in weighted])
        moved = sums / np.maximum(sizes, 1e-300)[:, None]
        empty = np.flatnonzero(sizes == 0)
        if len(empty):
            # An empty cluster starts again at the rows that fit worst.
            gaps = ((points - centroids[labels]) ** 2).sum(axis=1)
            moved[empty] = points[np.argsort(-gaps)[: len(empty)]]
        shift = float(((moved - centroids) ** 2).sum())
        centroids = moved
        if shift <= limit:
            break
    return centroids
