"""Weights of linear models as rows: ML.WEIGHTS and ML.ADVANCED_WEIGHTS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from martlet.blocks import NumberBlock
from martlet.encoding import Encoding
from martlet.estimators.base import Part

__all__ = ["WEIGHT_FUNCTIONS", "inference", "weight_parts"]

Array = NDArray[np.float64]

#: BigQuery's name of the row with the intercept.
INTERCEPT = "__INTERCEPT__"

_ENTRIES = "struct(category varchar, weight double)[]"

#: Stored functions over the companion tables.
WEIGHT_FUNCTIONS = {
    "weights": (
        "(standardize := false) as table (select processed_input, weight, category_weights "
        "from {part:weights} where is_standardized = standardize order by weight_number)"
    ),
    "multiclass": (
        "(standardize := false) as table (select processed_input, weight, category_weights, "
        "class_label from {part:weights} where is_standardized = standardize "
        "order by weight_number)"
    ),
    "advanced_weights": (
        "(standardize := false) as table (select processed_input, category, weight, "
        "standard_error, p_value from {part:advanced_weights} "
        "where is_standardized = standardize order by weight_number)"
    ),
}


def _raw_scale(encoding: Encoding) -> tuple[Array, Array]:
    """Return factors that undo the standardisation: for weights, and into the intercept."""
    factor, shift = np.ones(encoding.width), np.zeros(encoding.width)
    for block, place in encoding.slices():
        if isinstance(block, NumberBlock) and block.mode == "standardize" and block.deviation:
            factor[place] = 1 / block.deviation
            shift[place] = -block.mean / block.deviation
    return factor, shift


def weight_parts(encoding: Encoding, weights: Array, classes: Sequence[str]) -> dict[str, Part]:
    """Return the companion table of the weights.

    Parameters
    ----------
    encoding : Encoding
        The encoded columns.
    weights : numpy.ndarray
        Intercept first, one column an output.
    classes : sequence of str
        Names of the outputs; empty for a single one.
    """
    factor, shift = _raw_scale(encoding)
    rows: list[tuple[Any, ...]] = []
    for output in range(weights.shape[1]):
        slopes = weights[1:, output]
        intercept = float(weights[0, output])
        name = classes[output] if classes else None
        raw = intercept + float(shift @ slopes)
        for standardized, values, free in (
            (True, slopes, intercept),
            (False, slopes * factor, raw),
        ):
            for block, place in encoding.slices():
                own = [float(value) for value in values[place]]
                if block.categories is None:
                    row: tuple[Any, Any] = (own[0], [])
                else:
                    pairs = zip(block.categories, own, strict=True)
                    row = (None, [{"category": key, "weight": w} for key, w in pairs])
                rows.append((name, block.name, *row, standardized, len(rows)))
            rows.append((name, INTERCEPT, free, [], standardized, len(rows)))
    columns = {
        "class_label": "varchar",
        "processed_input": "varchar",
        "weight": "double",
        "category_weights": _ENTRIES,
        "is_standardized": "boolean",
        "weight_number": "integer",
    }
    return {"weights": Part(columns, rows)}


def inference(
    encoding: Encoding, weights: Array, covariance: Array, freedom: int | None
) -> dict[str, Part]:
    """Return the companion table with standard errors and p-values.

    Parameters
    ----------
    encoding : Encoding
        The encoded columns.
    weights, covariance : numpy.ndarray
        Of the weights, intercept first, standardised.
    freedom : int or None
        Degrees of freedom of Student's t; None for the normal distribution.
    """
    from scipy.special import ndtr, stdtr

    factor, shift = _raw_scale(encoding)
    to_raw = np.diag(np.concatenate([[1.0], factor]))
    to_raw[0, 1:] = shift
    rows: list[tuple[Any, ...]] = []
    for standardized, transform in ((True, np.eye(len(weights))), (False, to_raw)):
        values = transform @ weights
        errors = np.sqrt(np.clip(np.diag(transform @ covariance @ transform.T), 0, None))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = -np.abs(values / errors)
        tails = 2 * (ndtr(ratio) if freedom is None else stdtr(freedom, ratio))
        names = [(INTERCEPT, None), *encoding.names]
        for place in [*range(1, len(values)), 0]:
            found = bool(errors[place] > 0)
            rows.append(
                (
                    *names[place],
                    float(values[place]),
                    float(errors[place]) if found else None,
                    float(tails[place]) if found else None,
                    standardized,
                    len(rows),
                )
            )
    columns = {
        "processed_input": "varchar",
        "category": "varchar",
        "weight": "double",
        "standard_error": "double",
        "p_value": "double",
        "is_standardized": "boolean",
        "weight_number": "integer",
    }
    return {"advanced_weights": Part(columns, rows)}
