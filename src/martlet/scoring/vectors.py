"""Scoring and tables of models that live in the space of the encoded columns: k-means, PCA."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from martlet.blocks import NumberBlock
from martlet.encoding import Encoding
from martlet.sqltext import PREFIX, array, number

__all__ = [
    "ANOMALY_GRID",
    "MOST_COLUMNS",
    "VALUE_COLUMNS",
    "anomaly_cut",
    "fixed_vector",
    "value_rows",
]

#: Encoded columns of which the SQL makes a vector; twice as many take minutes to compile.
MOST_COLUMNS = 4000

#: Shares of anomalies for which the cut is stored: 0 to one half.
ANOMALY_GRID = 1000

#: Columns of a table with one value a feature, as ML.CENTROIDS and ML.PRINCIPAL_COMPONENTS have.
VALUE_COLUMNS = {
    "feature": "varchar",
    "numerical_value": "double",
    "categorical_value": "struct(category varchar, value double)[]",
    "is_standardized": "boolean",
    "feature_number": "integer",
}


def fixed_vector(values: Sequence[float]) -> exp.Expr:
    """Write a vector as a constant array of DOUBLE."""
    return exp.Cast(
        this=array(number(value) for value in values),
        to=exp.DataType.build(f"double[{len(values)}]", dialect="duckdb"),
    )


def value_rows(
    encoding: Encoding, values: NDArray[np.float64], standardized: bool, deviations_only: bool
) -> list[tuple[Any, ...]]:
    """Return the rows of one vector: one a feature, categories as a list.

    Parameters
    ----------
    encoding : Encoding
        The encoded columns.
    values : numpy.ndarray
        One value an encoded column.
    standardized : bool
        Whether to leave them so; otherwise numbers go back to the units of the column.
    deviations_only : bool
        Keep the values as they are in both scales (directions have no place).
    """
    rows: list[tuple[Any, ...]] = []
    for block, place in encoding.slices():
        own = [float(value) for value in values[place]]
        if block.categories is not None:
            pairs = zip(block.categories, own, strict=True)
            entries = [{"category": name, "value": value} for name, value in pairs]
            rows.append((block.name, None, entries, standardized, len(rows)))
            continue
        value = own[0]
        if (
            not standardized
            and not deviations_only
            and isinstance(block, NumberBlock)
            and block.mode == "standardize"
        ):
            value = value * block.deviation + block.mean
        rows.append((block.name, value, [], standardized, len(rows)))
    return rows


def anomaly_cut(values: NDArray[np.float64]) -> str:
    """Return SQL for the value that a share ``contamination`` of the training rows exceeds.

    Parameters
    ----------
    values : numpy.ndarray
        The measure of each training row.

    Returns
    -------
    str
        An expression over the parameter ``contamination``, an error outside 0 to 0.5.
    """
    shares = np.linspace(0, 0.5, ANOMALY_GRID + 1)
    cuts = np.quantile(values, 1 - shares)
    listed = array(number(cut) for cut in cuts).sql(dialect="duckdb")
    place = f"(contamination * {2 * ANOMALY_GRID}.0)::double"
    low = f"{PREFIX}cuts[1 + floor({place})::bigint]"
    high = f"{PREFIX}cuts[least(1 + ceil({place})::bigint, {ANOMALY_GRID + 1})]"
    return (
        f"(select case when contamination between 0 and 0.5 "
        f"then {low} + ({high} - {low}) * ({place} - floor({place})) "
        f"else error('contamination must be between 0 and 0.5') end "
        f"from (select {listed} as {PREFIX}cuts))"
    )
