"""The hypergeometric function with first parameter 1, as a continued fraction.

Gauss's fraction of 2F1(1, b; c; z) converges for every z below 1 at the rate ((1 - sqrt(1 - z))
/ (1 + sqrt(1 - z)))^2 a pair of steps, has no gamma functions that overflow, and is a short
loop in SQL as well.

References
----------
Cuyt, Petersen, Verdonk, Waadeland and Jones (2008), "Handbook of Continued Fractions for Special
Functions", section 15.3.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["fraction", "fraction_with_gradient", "steps_needed"]

Vector = NDArray[np.float64]

MOST_STEPS = 600


def steps_needed(z: Any, accuracy: float = 1e-14) -> int:
    """Return how many steps of the fraction give the accuracy.

    Parameters
    ----------
    z : array
        Arguments, all below 1; the worst counts.
    accuracy : float
        Relative.
    """
    values = np.asarray(z, float)
    worst = 0.0
    for extreme in (values.min(initial=0.0), values.max(initial=0.0)):
        root = math.sqrt(1 - extreme)
        worst = max(worst, abs((1 - root) / (1 + root)))
    if worst < 1e-8:
        return 6
    return min(MOST_STEPS, 6 + int(math.log(accuracy) / math.log(worst)))


def _coefficient(step: int, b: Vector, c: Vector) -> tuple[Vector, Vector, Vector]:
    """Return a coefficient of the fraction and its derivatives by b and c."""
    half = step // 2
    low = c + (step - 2)
    bottom = 1 / (low * (low + 1))
    if step % 2:
        by_b = (c + (half - 1)) * bottom
        value = (b + half) * by_b
        return value, by_b, (b + half) * bottom - value * (2 * low + 1) * bottom
    by_c = half * bottom
    value = by_c * (c - b + (half - 1))
    return value, -by_c, by_c - value * (2 * low + 1) * bottom


def fraction(b: Vector, c: Vector, z: Vector) -> Vector:
    """Return 2F1(1, b; c; z).

    Parameters
    ----------
    b, c, z : array of shape (n,)
        Parameters, c > b > 0, and arguments below 1.
    """
    tail = np.ones_like(z)
    for step in range(steps_needed(z), 0, -1):
        half, low = step // 2, c + (step - 2)
        top = (b + half) * (c - 1 + half) if step % 2 else half * (c - b + (half - 1))
        tail = 1 - top * z / (low * (low + 1) * tail)
    return np.asarray(1 / tail)


def fraction_with_gradient(
    b: Vector, c: Vector, z: Vector
) -> tuple[Vector, Vector, Vector, Vector]:
    """Return 2F1(1, b; c; z) and its derivatives by b, c and z, to eleven digits.

    Parameters
    ----------
    b, c, z : array of shape (n,)
        As for `fraction`.
    """
    tail = np.ones_like(z)
    by_b, by_c, by_z = np.zeros_like(z), np.zeros_like(z), np.zeros_like(z)
    for step in range(steps_needed(z, 1e-11), 0, -1):
        k, k_b, k_c = _coefficient(step, b, c)
        ratio = z / tail
        back = k * ratio / tail
        by_b = back * by_b - k_b * ratio
        by_c = back * by_c - k_c * ratio
        by_z = back * by_z - k / tail
        tail = 1 - k * ratio
    value = 1 / tail
    square = -value * value
    return value, square * by_b, square * by_c, square * by_z
