"""Making skewed numbers comparable: logarithm or Yeo-Johnson, then mean 0 and deviation 1.

The logarithm is ``sign(x) ln(1 + |x|)``: ln(1 + x) where there is nothing below 0.

References
----------
Yeo and Johnson (2000), "A new family of power transformations to improve normality or symmetry".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from martlet.sqltext import call, number

__all__ = ["TRANSFORMS", "Column", "learn_columns", "standardized"]

Array = NDArray[np.float64]

TRANSFORMS = ("log", "yeo_johnson", "none")

#: Larger numbers count as this: no transform overflows.
LARGEST = 1e15
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Column:
    """One learned column.

    Attributes
    ----------
    transform
        One of `TRANSFORMS`.
    power
        The lambda of Yeo-Johnson.
    mean, deviation
        Of the transformed training values (population deviation); a constant column has 0.
    """

    transform: str
    power: float
    mean: float
    deviation: float

    def apply(self, values: Array) -> Array:
        """Return standardised values; a missing one is 0, the mean."""
        if self.deviation == 0:
            return np.zeros(len(values))
        shown = (_transform(values, self.transform, self.power) - self.mean) / self.deviation
        return np.where(np.isfinite(values), shown, 0.0)

    def invert(self, value: float) -> float:
        """Return the original value of a standardised one."""
        value = value * self.deviation + self.mean
        if self.transform == "none":
            return value
        if self.transform == "log":
            return math.copysign(math.expm1(abs(value)), value)
        if value >= 0:
            inner = value * self.power + 1
            return math.expm1(value) if self.power == 0 else inner ** (1 / self.power) - 1
        power = 2 - self.power
        return -math.expm1(-value) if power == 0 else 1 - (1 - value * power) ** (1 / power)

    def sql(self, value: exp.Expr) -> exp.Expr:
        """Return the standardised value in SQL; NULL is 0."""
        if self.deviation == 0:
            return number(0.0)
        bounded = call("greatest", call("least", value, number(LARGEST)), number(-LARGEST))
        shown = _transform_sql(bounded, self.transform, self.power)
        centred = exp.Paren(this=exp.Sub(this=shown, expression=number(self.mean)))
        return call(
            "coalesce", exp.Div(this=centred, expression=number(self.deviation)), number(0.0)
        )


def learn_columns(matrix: Array, transform: str) -> list[Column]:
    """Learn each column of training rows, NaN being missing.

    Parameters
    ----------
    matrix : (rows, columns)
    transform : str
        One of `TRANSFORMS`.
    """
    columns = []
    for place in range(matrix.shape[1]):
        values = matrix[:, place]
        values = values[np.isfinite(values)]
        if not len(values) or values.min() == values.max():
            columns.append(Column(transform, 1.0, 0.0, 0.0))
            continue
        power = _best_power(values) if transform == "yeo_johnson" else 1.0
        shown = _transform(values, transform, power)
        deviation = float(shown.std())
        usable = math.isfinite(deviation) and deviation > 1e-12 * max(1.0, abs(float(shown.mean())))
        columns.append(Column(transform, power, float(shown.mean()), deviation if usable else 0.0))
    return columns


def standardized(matrix: Array, columns: Sequence[Column]) -> Array:
    """Apply learned columns to rows."""
    return np.column_stack([column.apply(matrix[:, i]) for i, column in enumerate(columns)])


def _transform(values: Array, transform: str, power: float) -> Array:
    values = np.clip(values, -LARGEST, LARGEST)
    if transform == "none":
        return values
    logs = np.log1p(np.abs(values))
    if transform == "log":
        return np.copysign(logs, values)
    above = logs if power == 0 else np.expm1(power * logs) / power
    below = logs if power == 2 else np.expm1((2 - power) * logs) / (2 - power)
    return np.where(values >= 0, above, -below)


def _transform_sql(value: exp.Expr, transform: str, power: float) -> exp.Expr:
    if transform == "none":
        return value
    size = exp.Add(this=number(1.0), expression=call("abs", value))
    logs = call("ln", size)
    negative = exp.LT(this=value, expression=number(0.0))

    def powered(exponent: float) -> exp.Expr:
        if exponent == 0:
            return logs
        grown = exp.Sub(this=call("pow", size, number(exponent)), expression=number(1.0))
        return exp.Div(this=exp.Paren(this=grown), expression=number(exponent))

    above, below = (logs, logs) if transform == "log" else (powered(power), powered(2 - power))
    return exp.Case().when(negative, exp.Neg(this=exp.Paren(this=below))).else_(above)


def _best_power(values: Array) -> float:
    """Return the power of greatest likelihood, by golden section between -3 and 5."""
    signed = np.copysign(np.log1p(np.abs(np.clip(values, -LARGEST, LARGEST))), values)

    def loss(power: float) -> float:
        shown = _transform(values, "yeo_johnson", power)
        variance = float(np.var(shown))
        if not math.isfinite(variance) or variance <= 0:
            return math.inf
        return 0.5 * len(values) * math.log(variance) - (power - 1) * float(signed.sum())

    low, high = -3.0, 5.0
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > 1e-6:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = loss(right)
    # Three digits are plenty, and make the fit the same on every machine.
    return round((low + high) / 2, 3)
