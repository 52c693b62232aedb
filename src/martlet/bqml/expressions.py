"""Syntax tree nodes that BigQuery ML adds to BigQuery's SQL, and those that become Jinja."""

from __future__ import annotations

from typing import ClassVar

from sqlglot import exp

__all__ = [
    "CreateModel",
    "DbtRelation",
    "MLScalar",
    "MLTable",
    "TrainingPart",
    "UnnestFields",
    "line_of",
]


class CreateModel(exp.Expression):
    """``CREATE MODEL``: `expression` is the training query, `parts` the named ones instead of it.

    `clauses` names what was said beside TRANSFORM and OPTIONS (INPUT, OUTPUT, REMOTE ...).
    """

    arg_types: ClassVar[dict[str, bool]] = {
        "this": True,
        "expression": False,
        "transforms": False,
        "options": False,
        "parts": False,
        "clauses": False,
        "replace": False,
        "exists": False,
    }


class TrainingPart(exp.Expression):
    """One ``name AS (query)`` of a CREATE MODEL with several queries."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expression": True}


class MLTable(exp.Expression):
    """A call that stands where a table stands: ``ML.PREDICT(MODEL m, TABLE t, STRUCT(...))``.

    `this` is the function in lower case, `namespace` ``ml`` or ``ai``, `inputs` the tables and
    queries in their order, `arguments` everything else.
    """

    arg_types: ClassVar[dict[str, bool]] = {
        "this": True,
        "namespace": True,
        "model": False,
        "inputs": False,
        "arguments": False,
    }


class MLScalar(exp.Expression, exp.Func):
    """A call inside an expression: ``ML.STANDARD_SCALER(x)``. `this` is the name, lower case."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "namespace": True, "expressions": False}
    is_var_len_args = True


class DbtRelation(exp.Expression):
    """A relation written as Jinja, such as ``{{ ref('orders') }}``; `this` is the call."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True}


class UnnestFields(exp.Expression):
    """Rows of an array of structs with a column for each field, as BigQuery's UNNEST has."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True}


def line_of(node: exp.Expr, default: int) -> int:
    """Return the line of the file a node was read from.

    Parameters
    ----------
    node : exp.Expr
        Any node of a parsed statement.
    default : int
        What to return when neither the node nor anything below it knows its line.
    """
    for candidate in node.walk():
        line = candidate.meta.get("line")
        if isinstance(line, int):
            return line
    return default
