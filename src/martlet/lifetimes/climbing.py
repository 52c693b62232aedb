"""A small optimizer for few parameters between bounds.

BFGS with backtracking, projected on a box. For two to four parameters SciPy's optimizers spend more
time in their own linear algebra than the likelihood takes.

References
----------
Nocedal and Wright (2006), "Numerical Optimization", sections 6.1 and 16.7.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Slope", "climb", "hessian"]

Vector = NDArray[np.float64]
Slope = Callable[[Vector], tuple[float, Vector]]

LONGEST_STEP = 2.0


def climb(
    slope: Slope,
    start: Vector,
    bounds: tuple[float | Vector, float | Vector],
    tolerance: float,
    inverse: Vector | None = None,
    iterations: int = 120,
) -> tuple[Vector, float]:
    """Return the lowest point found and its value.

    Parameters
    ----------
    slope : callable
        Gives value and gradient at a point.
    start : array
        Where to begin.
    bounds : tuple of float or array
        Lowest and highest of every coordinate.
    tolerance : float
        Stop when a step promises less than this.
    inverse : array, optional
        What is known of the inverse Hessian.
    iterations : int
        At most so many steps.
    """
    low, high = (np.broadcast_to(np.asarray(side, float), start.shape) for side in bounds)
    point = np.clip(start, low, high)
    value, gradient = slope(point)
    known = inverse is not None
    inverse = np.eye(len(point)) if inverse is None else inverse
    for turn in range(iterations):
        free = ~(((point <= low) & (gradient > 0)) | ((point >= high) & (gradient < 0)))
        direction = -_within(inverse, free) @ gradient
        promised = -float(direction @ gradient)
        if promised <= 0:
            inverse = np.eye(len(point))
            direction = -gradient * free
            promised = -float(direction @ gradient)
        if promised < tolerance:
            break
        longest = float(np.abs(direction).max())
        length = min(1.0, (LONGEST_STEP if turn or known else 0.5) / longest)
        for _ in range(25):
            tried = np.clip(point + length * direction, low, high)
            new, new_gradient = slope(tried)
            if new <= value - 1e-4 * length * promised or length < 1e-8:
                break
            length *= 0.4
        if not new < value:
            break
        moved, change = tried - point, new_gradient - gradient
        inverse = _updated(inverse, moved, change)
        point, value, gradient = tried, new, new_gradient
    return point, value


def _within(inverse: Vector, free: NDArray[np.bool_]) -> Vector:
    """Return the inverse Hessian of the free coordinates, the others held at their bounds.

    Its rows and columns alone are those of coordinates that may move as well: along a ridge that
    ends at a bound their steps are many times too long, and every one is cut back.
    """
    if free.all():
        return inverse
    held = ~free
    within = np.zeros_like(inverse)
    across = inverse[np.ix_(free, held)]
    bound = np.linalg.solve(inverse[np.ix_(held, held)], across.T)
    within[np.ix_(free, free)] = inverse[np.ix_(free, free)] - across @ bound
    return within


def _updated(inverse: Vector, moved: Vector, change: Vector) -> Vector:
    """Return the BFGS update of the inverse Hessian."""
    curvature = float(moved @ change)
    if curvature <= 1e-14:
        return inverse
    rotate = np.eye(len(moved)) - np.outer(moved, change) / curvature
    return np.asarray(rotate @ inverse @ rotate.T + np.outer(moved, moved) / curvature)


def hessian(slope: Slope, point: Vector, step: float = 1e-4) -> Vector:
    """Return the Hessian at a point, by central differences of the gradient.

    Parameters
    ----------
    slope : callable
        Gives value and gradient at a point.
    point : array
        Where.
    step : float
        Of the differences.
    """
    rows = []
    for place in range(len(point)):
        move = np.zeros_like(point)
        move[place] = step
        rows.append((slope(point + move)[1] - slope(point - move)[1]) / (2 * step))
    matrix = np.array(rows)
    return np.asarray((matrix + matrix.T) / 2)
