"""Fisher's exact test of a rule, for many rules at once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["fisher_p_values"]

Array = NDArray[np.float64]
#: A term below this part of the sum changes nothing, and no later one does.
_NEGLIGIBLE = 1e-15
_BATCH = 16


def fisher_p_values(both: Any, first: Any, second: Any, baskets: Any) -> Array:
    """Return the probability of at least so many common baskets when nothing goes together.

    The upper tail of the hypergeometric distribution: Fisher's one-sided test, which Hahsler and
    Hornik (2007, "New probabilistic interest measures for association rules") use for rules.

    Parameters
    ----------
    both, first, second : array_like of int, shape (n,)
        Baskets with both sides of a rule, with the antecedent, with the consequent.
    baskets : int or array_like of int
        All baskets.

    Returns
    -------
    numpy.ndarray of float, shape (n,)
        Below about 1e-308 it is 0.

    Examples
    --------
    >>> fisher_p_values([3], [4], [3], 10).round(4)
    array([0.0333])
    """
    n, a, c, total = (
        np.asarray(part, dtype=float) for part in np.broadcast_arrays(both, first, second, baskets)
    )
    # Above the mode the terms fall: sum the tail. Below it, sum the other tail.
    above = n >= (a + 1) * (c + 1) / (total + 2)
    result = np.empty(len(n))
    result[above] = _tail(n[above], a[above], c[above], total[above])
    # Fewer common baskets with the second are more with all that is not the second.
    low = ~above
    result[low] = 1 - _tail(a[low] - n[low] + 1, a[low], total[low] - c[low], total[low])
    return np.asarray(np.clip(result, 0.0, 1.0))


def _log_factorial(counts: Array) -> Array:
    """Return the logarithm of the factorial; importing SciPy for it would cost a second."""
    distinct, places = np.unique(counts, return_inverse=True)
    return np.array([math.lgamma(count + 1) for count in distinct], dtype=float)[places]


def _tail(n: Array, a: Array, c: Array, total: Array) -> Array:
    """Sum hypergeometric probabilities from `n` up, where they fall."""

    def log_choose(top: Array, bottom: Array) -> Array:
        return _log_factorial(top) - _log_factorial(bottom) - _log_factorial(top - bottom)

    possible = (n <= np.minimum(a, c)) & (n >= np.maximum(0, a + c - total))
    n, a, c, total = n[possible], a[possible], c[possible], total[possible]
    log_first = log_choose(c, n) + log_choose(total - c, a - n) - log_choose(total, a)
    summed = np.ones(len(n))
    # Ratio of a term to the one before, and the places still running; dropped ones in batches.
    running, term, k = np.arange(len(n)), np.ones(len(n)), n.copy()
    rest = total - a - c
    while len(running):
        for _ in range(_BATCH):
            term *= (a - k) * (c - k) / ((k + 1) * (rest + k + 1))
            summed[running] += term
            k += 1
        going = term > _NEGLIGIBLE * summed[running]
        running, term, k = running[going], term[going], k[going]
        a, c, rest = a[going], c[going], rest[going]
    result = np.zeros(len(possible))
    result[possible] = np.exp(log_first) * summed
    return result
