"""Encoded columns: what stands between the rows and the numbers of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
from sqlglot import exp

from martlet.blocks import Block
from martlet.sqltext import ROWS, array, number, render, total

__all__ = ["Encoding"]


@dataclass(frozen=True)
class Encoding:
    """All blocks of a model, in the order of its features."""

    blocks: tuple[Block, ...]

    @property
    def width(self) -> int:
        """How many numbers a row becomes."""
        return sum(block.width for block in self.blocks)

    @property
    def names(self) -> list[tuple[str, str | None]]:
        """Input and category of each number."""
        return [
            (block.name, category)
            for block in self.blocks
            for category in (block.categories if block.categories is not None else (None,))
        ]

    def slices(self) -> list[tuple[Block, slice]]:
        """Return each block with its place among the numbers."""
        result, start = [], 0
        for block in self.blocks:
            result.append((block, slice(start, start + block.width)))
            start += block.width
        return result

    def numbers(self) -> list[exp.Expr]:
        """Return each number in SQL."""
        return [value for block in self.blocks for value in block.numbers()]

    def vector(self) -> exp.Expr:
        """Return all numbers as one fixed-size array in SQL."""
        return exp.Cast(
            this=array(self.numbers()),
            to=exp.DataType.build(f"double[{self.width}]", dialect="duckdb"),
        )

    def product(self, weights: Sequence[float], intercept: float = 0.0) -> exp.Expr:
        """Return the weighted sum of the numbers in SQL."""
        return total([number(intercept), *self.products(weights)])

    def products(self, weights: Sequence[float]) -> list[exp.Expr]:
        """Return the weighted sum of each block in SQL; blocks of weight 0 are left out."""
        return [
            block.product([float(w) for w in weights[place]])
            for block, place in self.slices()
            if any(float(w) != 0.0 for w in weights[place])
        ]

    def matrix(self, con: duckdb.DuckDBPyConnection, rows: str, order: str = "") -> Any:
        """Read the numbers of rows.

        Parameters
        ----------
        con : duckdb.DuckDBPyConnection
            Where the rows are.
        rows : str
            A query of rows with the raw columns.
        order : str
            Column to sort by.

        Returns
        -------
        numpy.ndarray or scipy.sparse.csr_matrix
            One row a row, one column a number; sparse when an input has very many categories.
        """
        wanted = [(block, block.fetched()) for block in self.blocks]
        parts = [
            f"cast({render(value)} as double) as c{place}"
            for place, value in enumerate(value for _, values in wanted for value in values)
        ]
        query = f"select {', '.join(parts)} from ({rows}) as {ROWS}"
        query += f" order by {ROWS}.{order}" if order else ""
        table: dict[str, Any] = con.execute(query).fetchnumpy()
        columns: list[Any] = [
            np.ma.filled(np.ma.asarray(column, float), np.nan) for column in table.values()
        ]
        matrices, start = [], 0
        for block, values in wanted:
            matrices.append(block.expand(columns[start : start + len(values)]))
            start += len(values)
        if all(isinstance(part, np.ndarray) for part in matrices):
            return np.column_stack(matrices)
        from scipy import sparse

        return sparse.hstack([sparse.csr_matrix(part) for part in matrices], format="csr")
