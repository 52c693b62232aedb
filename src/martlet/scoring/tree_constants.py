"""Small pieces of SQL that large ensembles are made of."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from martlet.sqltext import cast

__all__ = ["branch", "constants"]


def constants(values: Sequence[float] | Sequence[int], kind: str) -> exp.Expr:
    """Write a list of constants as one text, which DuckDB reads once while it plans."""
    written = repr(list(values)).replace(" ", "")
    return cast(exp.Literal.string(written), f"{kind}[]")


def branch(cases: Sequence[tuple[exp.Expr, exp.Expr]], otherwise: exp.Expr) -> exp.Case:
    """Make a CASE without copying its parts, which may be large."""
    ifs = [exp.If(this=condition, true=value) for condition, value in cases]
    return exp.Case(ifs=ifs, default=otherwise)
