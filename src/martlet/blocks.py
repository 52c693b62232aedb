"""One prepared input as one or more numbers.

A block can say its numbers in SQL in three ways: each number by itself, their product with weights
(written compactly: a category costs one look-up, not one product a category), and the one value by
which Python fetches them for fitting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from martlet.sqltext import PREFIX, call, choice, integer, lookup, number, render, text, total

__all__ = ["Block", "CategoryBlock", "LabelBlock", "MembersBlock", "NumberBlock", "SparseBlock"]

Matrix = NDArray[np.float64]

#: An input of more categories is read as a sparse matrix.
DENSE_LIMIT = 300

#: Sizes of a factor between which no digit of it is lost.
SMALLEST, LARGEST = 1e-290, 1e290


@dataclass(frozen=True)
class Block:
    """One prepared input.

    Attributes
    ----------
    name
        BigQuery's ``processed_input``.
    value
        The raw value in SQL: a DOUBLE, a text or a list.
    """

    name: str
    value: exp.Expr

    @property
    def categories(self) -> tuple[str, ...] | None:
        """Name of each encoded column; None when the block is one number."""
        return None

    @property
    def width(self) -> int:
        """How many numbers the block gives."""
        return 1 if self.categories is None else len(self.categories)

    def numbers(self) -> list[exp.Expr]:
        """Return each encoded number in SQL."""
        raise NotImplementedError

    def product(self, weights: Sequence[float]) -> exp.Expr:
        """Return the sum of the encoded numbers times `weights` in SQL."""
        products = [
            exp.Mul(this=value, expression=number(weight))
            for value, weight in zip(self.numbers(), weights, strict=True)
        ]
        return total(products)

    def fetched(self) -> list[exp.Expr]:
        """Return what Python reads to build the numbers."""
        return self.numbers()

    def expand(self, columns: list[Matrix]) -> Any:
        """Build the numbers, one column each, from what was read; sparse when there are many."""
        return np.column_stack(columns) if columns else np.empty((0, 0))


@dataclass(frozen=True)
class NumberBlock(Block):
    """A number, standardised or with its missing values filled.

    Attributes
    ----------
    mean, deviation
        Of the finite training values; a deviation of 0 makes a standardised number 0.
    mode
        ``standardize``, ``impute`` or ``raw``.
    """

    mean: float
    deviation: float
    mode: str

    def numbers(self) -> list[exp.Expr]:
        """Return each encoded number in SQL."""
        finite = call("isfinite", self.value)
        if self.mode == "raw":
            return [choice([(finite, self.value)], exp.Null())]
        if self.mode == "impute":
            return [choice([(finite, self.value)], number(self.mean))]
        if self.deviation == 0:
            return [number(0.0)]
        centred = exp.Paren(this=exp.Sub(this=self.value, expression=number(self.mean)))
        standard = exp.Div(this=centred, expression=number(self.deviation))
        return [choice([(finite, standard)], number(0.0))]

    def product(self, weights: Sequence[float]) -> exp.Expr:
        """Return the sum of the encoded numbers times `weights` in SQL."""
        factor = weights[0] / self.deviation if self.deviation else 0.0
        if self.mode != "standardize" or not SMALLEST < abs(factor) < LARGEST:
            return super().product(weights)
        # Inside the CASE, which is cheaper than a product with its result; one factor, since a
        # division costs DuckDB a check for zero in each row.
        centred = exp.Paren(this=exp.Sub(this=self.value, expression=number(self.mean)))
        product = exp.Mul(this=centred, expression=number(factor))
        finite = call("isfinite", self.value)
        return choice([(finite, product)], number(0.0))


@dataclass(frozen=True)
class CategoryBlock(Block):
    """A category as one number each, 0 or 1.

    Attributes
    ----------
    names
        The categories seen in training, ascending.
    null_name
        Name of the category of NULL when training had NULLs.
    dropped
        The category without a weight (dummy encoding); its number is always 0.
    """

    names: tuple[str, ...]
    null_name: str | None = None
    dropped: str | None = None

    @property
    def categories(self) -> tuple[str, ...]:
        """Name of each encoded column."""
        return self.names if self.null_name is None else (*self.names, self.null_name)

    def numbers(self) -> list[exp.Expr]:
        """Return each encoded number in SQL."""
        result: list[exp.Expr] = []
        one, zero = number(1.0), number(0.0)
        for name in self.names:
            same = exp.EQ(this=self.value, expression=text(name))
            hit = choice([(same, one)], zero)
            result.append(zero if name == self.dropped else hit)
        if self.null_name is not None:
            null = exp.Is(this=self.value, expression=exp.Null())
            hit = choice([(null, one)], zero)
            result.append(zero if self.null_name == self.dropped else hit)
        return result

    def _choose(self, values: Sequence[exp.Expr], unseen: exp.Expr) -> exp.Expr:
        found = lookup(self.value, dict(zip(self.names, values, strict=False)), unseen)
        if self.null_name is None:
            return found
        null = exp.Is(this=self.value, expression=exp.Null())
        return choice([(null, values[-1])], found)

    def product(self, weights: Sequence[float]) -> exp.Expr:
        """Return the sum of the encoded numbers times `weights` in SQL."""
        kept = [
            0.0 if name == self.dropped else weight
            for name, weight in zip(self.categories, weights, strict=True)
        ]
        return self._choose([number(weight) for weight in kept], number(0.0))

    def fetched(self) -> list[exp.Expr]:
        """Return what Python reads to build the numbers."""
        return [self._choose([integer(i) for i in range(self.width)], integer(-1))]

    def expand(self, columns: list[Matrix]) -> Any:
        """Build the numbers from what was read; sparse when there are many."""
        codes = columns[0].astype(np.int64)
        if self.dropped is not None:
            codes[codes == self.categories.index(self.dropped)] = -1
        seen = np.flatnonzero(codes >= 0)
        shape = (len(codes), self.width)
        if self.width > DENSE_LIMIT:
            from scipy import sparse

            return sparse.csr_matrix((np.ones(len(seen)), (seen, codes[seen])), shape=shape)
        matrix = np.zeros(shape)
        matrix[seen, codes[seen]] = 1.0
        return matrix


@dataclass(frozen=True)
class LabelBlock(Block):
    """A category as its place in the alphabet, from 1; NULL and unseen ones are 0."""

    names: tuple[str, ...]

    def numbers(self) -> list[exp.Expr]:
        """Return each encoded number in SQL."""
        codes = {name: number(place) for place, name in enumerate(self.names, start=1)}
        return [lookup(self.value, codes, number(0.0))]


@dataclass(frozen=True)
class MembersBlock(Block):
    """A list of categories as one number each, 1 when the list has it."""

    names: tuple[str, ...]

    @property
    def categories(self) -> tuple[str, ...]:
        """Name of each encoded column."""
        return self.names

    def numbers(self) -> list[exp.Expr]:
        """Return each encoded number in SQL."""
        return [
            choice([(call("list_contains", self.value, text(name)), number(1.0))], number(0.0))
            for name in self.names
        ]


@dataclass(frozen=True)
class SparseBlock(Block):
    """A list of (place, number) pairs as one number a place; absent places are 0."""

    places: tuple[int, ...]

    @property
    def categories(self) -> tuple[str, ...]:
        """Name of each encoded column."""
        return tuple(str(place) for place in self.places)

    def numbers(self) -> list[exp.Expr]:
        """Return each encoded number in SQL."""
        import sqlglot

        value, e = render(self.value), f"{PREFIX}e"
        return [
            sqlglot.parse_one(
                f"coalesce(list_sum(list_transform({value}, lambda {e}: "
                f"case when {e}.k = {place} then {e}.v else cast(0 as double) end)), "
                "cast(0 as double))",
                dialect="duckdb",
            )
            for place in self.places
        ]
