"""Names of clusters in words, and numbers that keep their meaning from version to version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from martlet.clustering.lloyd import nearest_centroid, squared_distances

__all__ = ["WORDS", "keep_numbers", "name_clusters"]

Array = NDArray[np.float64]
Labels = NDArray[np.intp]

#: What is said of a low, a middling and a high value of a column. Others are named by the column.
WORDS: dict[str, tuple[str, str, str]] = {
    "recency_days": ("recent", "cooling", "lapsed"),
    "frequency": ("rare", "occasional", "frequent"),
    "monetary_amount": ("low spend", "medium spend", "high spend"),
    "average_order_amount": ("small orders", "medium orders", "large orders"),
    "items_per_order": ("small baskets", "medium baskets", "large baskets"),
    "return_rate": ("few returns", "some returns", "many returns"),
    "mean_gap_days": ("short gaps", "medium gaps", "long gaps"),
    "tenure_days": ("new", "settled", "long-standing"),
}

#: A middling value lies between these shares of all rows.
LOW, HIGH = 1 / 3, 2 / 3

#: A column that no role names is told when the cluster lies so many deviations off.
REMARKABLE = 1.0


def name_clusters(
    names: Sequence[str], matrix: Array, labels: Labels, centroids: Array, roles: Sequence[str]
) -> list[str]:
    """Name clusters by where their median lies among all rows.

    Every name starts with a word a role ("recent frequent high spend"), followed by what else is
    remarkable ("many returns"). Clusters with the same words are told apart by the column in which
    they differ most, then by a number.

    Parameters
    ----------
    names : sequence of str
        Of the columns.
    matrix : (rows, columns)
        Original values, NaN for missing.
    labels : (rows,)
    centroids : (clusters, columns)
        Standardised.
    roles : sequence of str
        The columns that every name tells of; those that are absent or constant are left out.
    """
    clusters = len(centroids)
    places = [names.index(role) for role in roles if role in names]
    places = [place for place in places if np.ptp(centroids[:, place]) > 0]
    if not places:
        places = [int(np.ptp(centroids, axis=0).argmax())]
    made = []
    for cluster in range(clusters):
        rows = matrix[labels == cluster]
        words = [_word(names[place], matrix[:, place], rows[:, place]) for place in places]
        made.append(", ".join([" ".join(words), *_remark(names, places, centroids[cluster])]))
    return _apart(made, names, centroids)


def _remark(names: Sequence[str], told: Sequence[int], centroid: Array) -> list[str]:
    """Return a word for the column besides those told that lies farthest off, if any does."""
    off = np.abs(centroid)
    off[list(told)] = 0.0
    place = int(off.argmax())
    if off[place] < REMARKABLE:
        return []
    low, _, high = _words(names[place])
    return [high if centroid[place] > 0 else low]


def _words(name: str) -> tuple[str, str, str]:
    shown = name.replace("_", " ")
    return WORDS.get(name, (f"low {shown}", f"medium {shown}", f"high {shown}"))


def _word(name: str, everyone: Array, members: Array) -> str:
    everyone, members = everyone[np.isfinite(everyone)], members[np.isfinite(members)]
    low, middle, high = _words(name)
    if not len(members):
        return f"unknown {name.replace('_', ' ')}"
    median = float(np.median(members))
    if name == "frequency" and median <= 1:
        return "one-time"
    below = float((everyone < median).mean())
    share = below + float((everyone == median).mean()) / 2
    if share < LOW:
        return low
    return middle if share <= HIGH else high


def _apart(made: list[str], names: Sequence[str], centroids: Array) -> list[str]:
    """Add words until every name is different."""
    result = list(made)
    for shown in sorted({name for name in made if made.count(name) > 1}):
        alike = [place for place, name in enumerate(made) if name == shown]
        column = int(np.ptp(centroids[alike], axis=0).argmax())
        order = sorted(alike, key=lambda place: centroids[place, column])
        low, middle, high = _words(names[column])
        for rank, place in enumerate(order):
            word = low if rank == 0 else high if rank == len(order) - 1 else middle
            result[place] = f"{shown}, {word if word not in shown.split() else 'more ' + word}"
    seen: dict[str, int] = {}
    for place, name in enumerate(result):
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            result[place] = f"{name} ({seen[name]})"
    return result


def keep_numbers(
    centroids: Array, before: Mapping[int, Array], next_number: int, order: Sequence[int]
) -> tuple[list[int], int]:
    """Give clusters numbers that go on meaning the same.

    New and old centroids are paired so that the sum of their distances is least (the Hungarian
    method). A pair counts when the old centroid falls into the new cluster and the new one into the
    old; a cluster without a pair gets a number that was never used.

    Parameters
    ----------
    centroids : (clusters, columns)
        New ones.
    before : mapping of int to (columns,)
        Old ones in the same standardised space, by their number.
    next_number : int
        The first number that was never used.
    order : sequence of int
        The order in which clusters without a pair are numbered.

    Returns
    -------
    numbers : list of int
        By place of the cluster.
    next_number : int
        The first number that is still free.
    """
    numbers: dict[int, int] = {}
    if before:
        # Imported here, because the first version never needs it.
        from scipy.optimize import linear_sum_assignment

        known = list(before)
        old = np.array([before[number] for number in known])
        gaps = squared_distances(centroids, old)
        into_new, into_old = nearest_centroid(old, centroids), nearest_centroid(centroids, old)
        for new, place in zip(*linear_sum_assignment(np.sqrt(gaps)), strict=True):
            if into_new[place] == new and into_old[new] == place:
                numbers[int(new)] = known[int(place)]
    for cluster in order:
        if cluster not in numbers:
            numbers[cluster] = next_number
            next_number += 1
    return [numbers[cluster] for cluster in range(len(centroids))], next_number
