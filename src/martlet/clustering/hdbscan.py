"""Density-based clusters: HDBSCAN with the excess of mass.

Time grows with the square of the rows, memory with the rows: give it a sample of a few thousand.

References
----------
Campello, Moulavi and Sander (2013), "Density-based clustering based on hierarchical density
estimates".
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from martlet.clustering.lloyd import squared_distances

__all__ = ["hdbscan"]

Array = NDArray[np.float64]
Labels = NDArray[np.intp]


@dataclass
class _Cluster:
    """A cluster of the condensed tree: what falls out of it, at which density."""

    birth: float
    parent: int
    points: list[int] = field(default_factory=list)
    stability: float = 0.0
    children: list[int] = field(default_factory=list)


def hdbscan(points: Array, smallest: int) -> Labels:
    """Return a label for each row, -1 for noise.

    Parameters
    ----------
    points : (rows, columns)
    smallest : int
        Rows of the smallest cluster, and of the neighbourhood that density is measured in.
    """
    rows = len(points)
    if rows < max(2 * smallest, 2):
        return np.full(rows, -1)
    core = _core_distances(points, smallest)
    merges, sizes = _single_linkage(*_spanning_tree(points, core), rows)
    clusters = _condense(merges, sizes, rows, smallest)
    return _labels(clusters, _select(clusters), rows)


def _core_distances(points: Array, smallest: int) -> Array:
    """Distance to the nearest rows, the row itself being the first of them."""
    core = np.empty(len(points))
    step = max(1, 4_000_000 // len(points))
    for begin in range(0, len(points), step):
        squares = squared_distances(points[begin : begin + step], points)
        core[begin : begin + step] = np.partition(squares, smallest - 1, axis=1)[:, smallest - 1]
    return np.sqrt(core)


def _spanning_tree(points: Array, core: Array) -> tuple[Labels, Labels, Array]:
    """Prim's minimum spanning tree of the mutual reachability distance."""
    rows = len(points)
    reach, source = np.full(rows, np.inf), np.zeros(rows, dtype=np.intp)
    outside = np.ones(rows, dtype=bool)
    starts, ends, lengths = np.empty(rows - 1, np.intp), np.empty(rows - 1, np.intp), []
    current = 0
    for step in range(rows - 1):
        outside[current] = False
        gaps = np.sqrt(((points - points[current]) ** 2).sum(axis=1))
        gaps = np.maximum(np.maximum(gaps, core), core[current])
        closer = outside & (gaps < reach)
        reach[closer], source[closer] = gaps[closer], current
        nearest = int(np.where(outside, reach, np.inf).argmin())
        starts[step], ends[step] = source[nearest], nearest
        lengths.append(reach[nearest])
        current = nearest
    return starts, ends, np.asarray(lengths)


def _single_linkage(
    starts: Labels, ends: Labels, lengths: Array, rows: int
) -> tuple[list[tuple[int, int, float]], list[int]]:
    """Merge along the tree, shortest edge first; node ``rows + i`` is the i-th merge."""
    parent, sizes = list(range(2 * rows - 1)), [1] * rows
    merges: list[tuple[int, int, float]] = []

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for edge in np.argsort(lengths, kind="stable"):
        one, other = root(int(starts[edge])), root(int(ends[edge]))
        parent[one] = parent[other] = rows + len(merges)
        merges.append((one, other, float(lengths[edge])))
        sizes.append(sizes[one] + sizes[other])
    return merges, sizes


def _condense(
    merges: list[tuple[int, int, float]], sizes: list[int], rows: int, smallest: int
) -> list[_Cluster]:
    """Keep only splits into two clusters that are large enough; the rest falls out as points."""
    shortest = max(max(length for _, _, length in merges) * 1e-12, 1e-300)
    clusters = [_Cluster(0.0, -1)]
    pending = [(2 * rows - 2, 0)]
    while pending:
        node, name = pending.pop()
        one, other, length = merges[node - rows]
        density = 1.0 / max(length, shortest)
        cluster = clusters[name]
        large = [child for child in (one, other) if sizes[child] >= smallest]
        for child in (one, other):
            if len(large) == 2:
                clusters.append(_Cluster(density, name))
                cluster.children.append(len(clusters) - 1)
                cluster.stability += sizes[child] * (density - cluster.birth)
                if child >= rows:
                    pending.append((child, len(clusters) - 1))
                else:
                    clusters[-1].points.append(child)
            elif child in large and child >= rows:
                pending.append((child, name))
            else:
                fallen = _leaves(child, merges, rows)
                cluster.points += fallen
                cluster.stability += len(fallen) * (density - cluster.birth)
    return clusters


def _leaves(node: int, merges: list[tuple[int, int, float]], rows: int) -> list[int]:
    found, pending = [], [node]
    while pending:
        item = pending.pop()
        if item < rows:
            found.append(item)
        else:
            pending += merges[item - rows][:2]
    return found


def _select(clusters: list[_Cluster]) -> set[int]:
    """Choose the clusters that do not overlap and are most stable together; never all rows."""
    chosen: set[int] = set()
    best = [0.0] * len(clusters)
    for name in range(len(clusters) - 1, 0, -1):
        cluster = clusters[name]
        below = sum(best[child] for child in cluster.children)
        best[name] = max(cluster.stability, below)
        if not cluster.children or cluster.stability >= below:
            chosen.add(name)
            pending = list(cluster.children)
            while pending:
                item = pending.pop()
                chosen.discard(item)
                pending += clusters[item].children
    return chosen


def _labels(clusters: list[_Cluster], chosen: set[int], rows: int) -> Labels:
    labels = np.full(rows, -1)
    for label, name in enumerate(sorted(chosen)):
        pending = [name]
        while pending:
            item = pending.pop()
            labels[clusters[item].points] = label
            pending += clusters[item].children
    return labels
