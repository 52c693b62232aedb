"""The place of a number among sorted thresholds, as SQL that costs the same for any number of them.

A table of equal cells over the range of the thresholds says how many thresholds lie below a cell;
the few inside the cell are compared one by one. Subtraction, product and square root are rounded
the same way everywhere and never change the order of two numbers, so a row falls into the cell of a
threshold exactly when it has to be compared with it: the result is exact, ties included.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from martlet.sqltext import call, cast, column, integer, number

__all__ = ["Bins", "branch", "constants"]

Array = NDArray[np.float64]

#: Up to so many thresholds each is compared.
_FEW = 6
#: More thresholds than this in one cell make the binary search cheaper.
_CROWDED = 4
_CELLS = (256, 512, 1024, 2048, 4096)


def constants(values: Sequence[float] | Sequence[int], kind: str) -> exp.Expr:
    """Write a list of constants as one text, which DuckDB reads once while it plans."""
    written = ",".join(repr(value) for value in values)
    return cast(exp.Literal.string(f"[{written}]"), f"{kind}[]")


def branch(cases: Sequence[tuple[exp.Expr, exp.Expr]], otherwise: exp.Expr) -> exp.Case:
    """Make a CASE without copying its parts, which may be large."""
    ifs = [exp.If(this=condition, true=value) for condition, value in cases]
    return exp.Case(ifs=ifs, default=otherwise)


class Bins:
    """Places of one encoded column: 0 for missing, else 1 + the number of thresholds below.

    Parameters
    ----------
    thresholds : numpy.ndarray
        Sorted, each once.
    value : sqlglot expression
        The column, NULL when it is missing.
    """

    def __init__(self, thresholds: Array, value: exp.Expr) -> None:
        self.thresholds, self._value = thresholds, value
        self._roots, self._scale, self._cells, self._crowd = self._best_grid()

    @property
    def count(self) -> int:
        """How many places there are, that of missing included."""
        return len(self.thresholds) + 2

    def _best_grid(self) -> tuple[int, float, Array, int]:
        """Choose how often to take the root (for skewed columns) and how many cells to make."""
        best: tuple[float, int, float, Array, int] | None = None
        finite = self.thresholds[np.isfinite(self.thresholds)]
        if len(self.thresholds) > _FEW and len(finite):
            for roots in (0, 1, 2):
                with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
                    moved = finite - finite[0]
                    for _ in range(roots):
                        moved = np.sqrt(moved)
                    for cells in _CELLS:
                        scale = float(np.float64(cells) / moved[-1])
                        if not (math.isfinite(scale) and scale > 0):
                            continue
                        places = np.floor(np.minimum(moved * scale, float(cells)))
                        crowd = int(np.bincount(places.astype(int)).max())
                        cost = 7 * crowd + 2 * roots + cells / 1000
                        if best is None or cost < best[0]:
                            lower = np.searchsorted(places, np.arange(cells + 1), side="left")
                            best = (cost, roots, scale, lower.astype(float), crowd)
        return best[1:] if best else (0, 0.0, np.empty(0), 0)

    def steps(self, name: str) -> tuple[dict[str, exp.Expr], exp.Expr]:
        """Return what has to be named one step before, and the place.

        Parameters
        ----------
        name : str
            A free name for the number of thresholds below the cell.
        """
        thresholds = [float(value) for value in self.thresholds]
        if len(thresholds) <= _FEW:
            above = [self._above(number(value)) for value in thresholds]
            place = _added([cast(integer(1), "smallint"), *above])
            missing = exp.Is(this=self._value.copy(), expression=exp.Null())
            return {}, branch([(missing, cast(integer(0), "smallint"))], place)
        if not 0 < self._crowd <= _CROWDED:
            return {}, self._search(0, len(thresholds))
        moved: exp.Expr = exp.Paren(
            this=exp.Sub(this=self._value.copy(), expression=number(thresholds[0]))
        )
        moved = call("greatest", moved, number(0.0))
        for _ in range(self._roots):
            moved = call("sqrt", moved)
        last = float(len(self._cells) - 1)
        scaled = exp.Mul(this=moved, expression=number(self._scale))
        cell = cast(call("floor", call("least", scaled, number(last))), "integer")
        lower = constants([1 + int(value) for value in self._cells], "smallint")
        found = call("list_extract", lower, exp.Add(this=cell, expression=integer(1)))
        start = column(name)
        # Beyond the last threshold nothing is greater.
        listed = constants([*thresholds, *[math.inf] * self._crowd], "double")
        above = []
        for offset in range(self._crowd):
            where: exp.Expr = start.copy()
            if offset:
                where = exp.Add(this=where, expression=cast(integer(offset), "smallint"))
            above.append(self._above(call("list_extract", listed.copy(), where)))
        place = _added([start.copy(), *above])
        return {name: found}, exp.Coalesce(this=place, expressions=[cast(integer(0), "smallint")])

    def _above(self, threshold: exp.Expr) -> exp.Expr:
        greater = exp.Paren(this=exp.GT(this=self._value.copy(), expression=threshold))
        return cast(greater, "smallint")

    def _search(self, low: int, high: int) -> exp.Expr:
        """Return a balanced search tree for columns whose thresholds crowd together."""
        missing = exp.Is(this=self._value.copy(), expression=exp.Null())
        found = cast(self._half(low, high), "smallint")
        return branch([(missing, cast(integer(0), "smallint"))], found)

    def _half(self, low: int, high: int) -> exp.Expr:
        if low == high:
            return integer(1 + low)
        middle = (low + high) // 2
        bound = number(float(self.thresholds[middle]))
        below = exp.LTE(this=self._value.copy(), expression=bound)
        return branch([(below, self._half(low, middle))], self._half(middle + 1, high))


def _added(terms: Sequence[exp.Expr]) -> exp.Expr:
    result = terms[0]
    for term in terms[1:]:
        result = exp.Add(this=result, expression=term)
    return result
