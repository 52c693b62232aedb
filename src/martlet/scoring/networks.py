"""Layers of a neural network as SQL: one step a layer, one inner product a unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlglot import exp

from martlet.encoding import Encoding
from martlet.scoring.links import sigmoid
from martlet.scoring.vectors import fixed_vector
from martlet.sqltext import PREFIX, array, call, column, number

__all__ = ["hidden_layers", "output_scores"]


def hidden_layers(
    encoding: Encoding, weights: Sequence[Any], intercepts: Sequence[Any], activation: str
) -> tuple[tuple[dict[str, exp.Expr], ...], str]:
    """Return the steps up to the last hidden layer, and the name of its values.

    Parameters
    ----------
    encoding : Encoding
        The encoded columns.
    weights, intercepts : sequence of numpy.ndarray
        Of every layer, the output included.
    activation : str
        scikit-learn's name of the function of the hidden units.
    """
    name = PREFIX + "layer_0"
    steps: list[dict[str, exp.Expr]] = [{name: encoding.vector()}]
    layers = list(zip(weights, intercepts, strict=True))[:-1]
    for place, (weight, intercept) in enumerate(layers, start=1):
        units = [
            _activated(_unit(name, weight[:, unit], intercept[unit]), activation)
            for unit in range(weight.shape[1])
        ]
        name = f"{PREFIX}layer_{place}"
        kind = exp.DataType.build(f"double[{len(units)}]", dialect="duckdb")
        steps.append({name: exp.Cast(this=array(units), to=kind)})
    return tuple(steps), name


def output_scores(name: str, weights: Sequence[Any], intercepts: Sequence[Any]) -> list[exp.Expr]:
    """Return the scores of the output units over the last hidden layer."""
    weight, intercept = weights[-1], intercepts[-1]
    return [_unit(name, weight[:, unit], intercept[unit]) for unit in range(weight.shape[1])]


def _unit(name: str, weight: Any, intercept: Any) -> exp.Expr:
    product = call("array_inner_product", column(name), fixed_vector([float(w) for w in weight]))
    return exp.Add(this=product, expression=number(float(intercept)))


def _activated(value: exp.Expr, activation: str) -> exp.Expr:
    match activation:
        case "relu":
            return call("greatest", value, number(0.0))
        case "tanh":
            return call("tanh", value)
        case "logistic":
            return sigmoid(value)
    return value
