"""How near two items are, by the users who bought both.

References
----------
Sarwar, Karypis, Konstan and Riedl (2001), "Item-based collaborative filtering recommendation
algorithms", WWW, section 3.1 (cosine). Steck (2019), "Embarrassingly shallow autoencoders for
sparse data", WWW, section 3.1 (EASE).
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import lapack

from martlet.similarity.history import Window

__all__ = ["MEASURES", "Neighbours", "Pairs", "shared_users", "similarity"]

#: Names of the measures.
MEASURES = ("COOCCURRENCE", "COSINE", "TRANSITION", "EASE")
_LATER = 10


class Neighbours:
    """The nearest neighbours of each item: positive, the greatest first, items x items.

    Attributes
    ----------
    matrix
        Sparse; row = item, column = neighbour.
    """

    def __init__(self, matrix: Any, most: int) -> None:
        self.matrix = _greatest(sparse.csr_matrix(matrix), most)

    def rows(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Return item, neighbour, rank from 1, and similarity."""
        found = self.matrix.tocoo()
        order = np.lexsort((found.col, -found.data, found.row))
        item, other, value = found.row[order], found.col[order], found.data[order]
        first = np.searchsorted(item, item, side="left")
        return item, other, np.arange(len(item)) - first + 1, value


class Pairs:
    """How many users bought both of two items, counted when it is asked for, and once."""

    def __init__(self, window: Window, longest: int) -> None:
        self._window, self._longest = window, longest
        self._counted: Any = None

    def count(self) -> Any:
        """Return items x items, sparse; the diagonal counts the users of an item."""
        if self._counted is None:
            bought = self._window.bought(self._longest)
            self._counted = (bought.T.tocsr() @ bought).tocsr()
        return self._counted


def similarity(
    measure: str,
    window: Window,
    longest: int,
    shrinkage: float,
    ridge: float,
    gap_decay: float,
    pairs: Pairs | None = None,
) -> Any:
    """Return items x items: how much a purchase of the row's item speaks for the column's.

    Parameters
    ----------
    measure : str
        One of `MEASURES`.
    window : Window
        Purchases.
    longest : int
        Pairs kept of a user, the latest.
    shrinkage : float
        Added to the denominator of co-occurrence and cosine: rare pairs weigh less.
    ridge : float
        L2 penalty of EASE.
    gap_decay : float
        For TRANSITION: the weight of an item bought one order later still.
    pairs : Pairs, optional
        Those of the window, to share them with another measure.
    """
    pairs = pairs or Pairs(window, longest)
    count = np.asarray(window.bought(longest).sum(axis=0)).ravel()
    if measure == "EASE":
        inverse = _inverse(pairs.count().toarray() + ridge * np.eye(len(count)))
        weights = inverse / -np.diag(inverse)[None, :]
        np.fill_diagonal(weights, 0.0)
        return weights
    if measure == "TRANSITION":
        return _scaled(_transitions(window, gap_decay), count, shrinkage)
    if measure == "COOCCURRENCE":
        return sparse.diags(1 / np.maximum(count + shrinkage, 1e-12)) @ pairs.count()
    return _scaled(pairs.count(), count, shrinkage)


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Invert a symmetric positive definite matrix, with half the work of the general way."""
    lower, failed = lapack.dpotrf(matrix, lower=1)
    if failed:
        return np.asarray(np.linalg.inv(matrix))
    inverse, _ = lapack.dpotri(lower, lower=1)
    below = np.tril(inverse)
    return np.asarray(below + np.tril(below, -1).T)


def _scaled(together: Any, count: NDArray[np.float64], shrinkage: float) -> Any:
    root = np.sqrt(count)
    scale = root[together.indices]
    scale *= np.repeat(root, np.diff(together.indptr))
    scale += shrinkage
    data = np.divide(together.data, scale, out=scale)
    return sparse.csr_matrix((data, together.indices, together.indptr), shape=together.shape)


def _transitions(window: Window, decay: float) -> Any:
    """Count later purchases, each order further away weighing `decay` times the one before."""
    order = np.lexsort((window.item, window.time, window.user))
    user, item, time = window.user[order], window.item[order], window.time[order]
    if not len(user):
        return sparse.csr_matrix((window.shape[1], window.shape[1]))
    fresh = np.concatenate([[True], (user[1:] != user[:-1]) | (time[1:] != time[:-1])])
    event = np.cumsum(fresh) - 1
    owner = user[fresh]
    events = sparse.csr_matrix(
        (np.ones(len(item)), (event, item)), shape=(len(owner), window.shape[1])
    )
    # What comes later is put together for each order first: the items are then multiplied once.
    row, later, weight = [], [], []
    for gap in range(1, _LATER + 1):
        same = np.flatnonzero(owner[gap:] == owner[:-gap])
        row.append(same)
        later.append(same + gap)
        weight.append(np.full(len(same), decay ** (gap - 1)))
    places = (np.concatenate(row), np.concatenate(later))
    ahead = sparse.csr_matrix((np.concatenate(weight), places), shape=(len(owner), len(owner)))
    return (events.T.tocsr() @ (ahead @ events)).tocsr()


def _greatest(matrix: Any, most: int) -> Any:
    """Keep the `most` greatest positive entries of each row, without the diagonal.

    Of equal ones the first columns are kept.
    """
    value, column, ends = matrix.data.copy(), matrix.indices, matrix.indptr
    value[column == np.repeat(np.arange(len(ends) - 1, dtype=column.dtype), np.diff(ends))] = 0.0
    places = [np.zeros(0, dtype=np.int64)]
    for begin, end in itertools.pairwise(ends):
        places.append(begin + _nearest(value[begin:end], column[begin:end], most))
    kept = np.concatenate([[0], np.cumsum([len(place) for place in places[1:]], dtype=np.int64)])
    place = np.concatenate(places)
    found = sparse.csr_matrix((value[place], column[place], kept), shape=matrix.shape)
    found.sort_indices()
    return found


def _nearest(value: Any, column: Any, most: int) -> Any:
    """Return the places of the `most` greatest of a row, where positive.

    A partition finds the least that is kept; to sort all would take ten times as long.
    """
    if len(value) <= most:
        return np.flatnonzero(value > 0)
    least = np.partition(value, len(value) - most)[len(value) - most]
    if least <= 0:
        return np.flatnonzero(value > 0)
    place = np.flatnonzero(value >= least)
    if len(place) > most:
        equal = value[place] == least
        last = place[equal][np.argsort(column[place[equal]])]
        place = np.concatenate([place[~equal], last])[:most]
    return place


def shared_users(window: Window, longest: int, item: Any, other: Any) -> Any:
    """Return the number of users who bought both, one a pair."""
    return np.asarray(Pairs(window, longest).count()[item, other]).ravel().astype(np.int64)
