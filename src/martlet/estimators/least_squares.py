"""Exact least squares, and the covariance of its weights.

References
----------
Fong and Saunders (2011), "LSMR: an iterative algorithm for sparse least-squares problems", for
problems with very many columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from martlet.errors import MartletError
from martlet.options import Options

__all__ = [
    "least_squares",
    "least_squares_covariance",
    "second_moments",
    "with_intercept",
    "with_zero",
]

Array = NDArray[np.float64]

#: More encoded columns than this are solved iteratively instead of by a decomposition.
_DIRECT_COLUMNS = 2000


def with_intercept(matrix: Any, intercept: bool) -> Any:
    """Put a column of ones in front, if there is an intercept."""
    if not intercept:
        return matrix
    ones = np.ones((matrix.shape[0], 1))
    if isinstance(matrix, np.ndarray):
        return np.hstack([ones, matrix])
    from scipy import sparse

    return sparse.hstack([sparse.csr_matrix(ones), matrix], format="csr")


def least_squares(matrix: Any, target: Array, l2: float, intercept: bool) -> Array:
    """Solve for the weights of least norm among the best."""
    rows, columns = matrix.shape
    penalty = np.full(columns, l2)
    if intercept:
        penalty[0] = 0.0
    if columns > _DIRECT_COLUMNS:
        from scipy import sparse
        from scipy.sparse.linalg import lsmr

        stacked = sparse.vstack([sparse.csr_matrix(matrix), sparse.diags(np.sqrt(penalty))])
        padded = np.concatenate([target, np.zeros(columns)])
        return np.asarray(lsmr(stacked, padded, atol=1e-13, btol=1e-13, maxiter=5000)[0])[:, None]
    if not isinstance(matrix, np.ndarray):
        matrix = matrix.toarray()
    if l2 == 0 and rows * columns**2 < 1e10:
        return np.asarray(np.linalg.lstsq(matrix, target, rcond=None)[0])[:, None]
    gram = matrix.T @ matrix + np.diag(penalty)
    return np.asarray(np.linalg.lstsq(gram, matrix.T @ target, rcond=1e-12)[0])[:, None]


def second_moments(matrix: Any, weight: Array) -> Array:
    """Return the weighted second moments of the columns."""
    dense = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
    return np.asarray(dense.T @ (dense * weight[:, None]))


def least_squares_covariance(
    matrix: Any, target: Array, weights: Array, options: Options
) -> tuple[Array, int]:
    """Return the covariance of the weights, intercept first, and the degrees of freedom."""
    used = weights if options["fit_intercept"] else weights[1:]
    residual = target - np.asarray(matrix @ used)[:, 0]
    gram = second_moments(matrix, np.ones(len(target)))
    freedom = len(target) - int(np.linalg.matrix_rank(gram))
    if freedom <= 0:
        raise MartletError("calculate_p_values needs more rows than weights.")
    covariance = np.linalg.pinv(gram) * float(residual @ residual) / freedom
    return with_zero(covariance, options["fit_intercept"]), freedom


def with_zero(covariance: Array, intercept: bool) -> Array:
    """Make room for an intercept of 0 when there is none."""
    return covariance if intercept else np.pad(covariance, ((1, 0), (1, 0)))
