"""Small pieces of DuckDB SQL, built with sqlglot.

Everything that goes into a stored function is made here, so that quoting and the writing of
numbers have one place. Numbers are written with 17 digits and an exponent: DuckDB reads such a
literal as DOUBLE (without the exponent it would be DECIMAL), and 17 digits give back the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlglot import exp

__all__ = [
    "PREFIX",
    "ROWS",
    "array",
    "call",
    "cast",
    "choice",
    "column",
    "identifier",
    "integer",
    "literal",
    "lookup",
    "number",
    "render",
    "text",
    "total",
]

#: Names that Martlet makes inside a query begin so; a training column must not.
PREFIX = "__martlet_"

#: A look-up of at most so many values is a CASE; a longer one is a join with a list of values.
CASE_LIMIT = 40

#: The name under which stored functions see the rows they are given.
ROWS = PREFIX + "rows"


def render(expression: exp.Expr) -> str:
    """Write an expression as DuckDB SQL."""
    # sqlglot would copy the whole tree first, which takes longer than writing it.
    return expression.sql(dialect="duckdb", copy=False)


def identifier(name: str) -> str:
    """Quote a name.

    Examples
    --------
    >>> print(identifier('order x'))
    "order x"
    """
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> exp.Expr:
    """Write a text constant."""
    return exp.Literal.string(value)


def number(value: float) -> exp.Expr:
    """Write a DOUBLE constant that reads back as the same bits.

    Examples
    --------
    >>> render(number(0.1)), render(number(-2))
    ('1.0000000000000001e-01', '-2.0000000000000000e+00')
    """
    value = float(value)
    if not math.isfinite(value):
        return cast(text(str(value)), "double")
    positive = exp.Literal.number(f"{abs(value):.16e}")
    return positive if math.copysign(1.0, value) > 0 else exp.Neg(this=positive)


def integer(value: int) -> exp.Expr:
    """Write a whole number."""
    return exp.Literal.number(int(value))


def literal(value: Any) -> exp.Expr:
    """Write any plain Python value as a constant of the matching type."""
    if value is None:
        return exp.Null()
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, int):
        return integer(value)
    if isinstance(value, float):
        return number(value)
    return text(str(value))


def cast(expression: exp.Expr, type_name: str) -> exp.Expr:
    """Cast to a DuckDB type."""
    return exp.Cast(this=expression, to=exp.DataType.build(type_name, dialect="duckdb", udt=True))


def column(name: str, table: str | None = ROWS) -> exp.Column:
    """Name a column of the rows a function is given.

    The table is always written: a bare name equal to a parameter of the stored function would be
    replaced by the parameter's value.
    """
    return exp.column(exp.to_identifier(name, quoted=True), table=table)


def call(function: str, *arguments: exp.Expr) -> exp.Expr:
    """Call a DuckDB function by its own name."""
    return exp.Anonymous(this=function, expressions=list(arguments))


def choice(
    branches: Iterable[tuple[exp.Expr, exp.Expr]], otherwise: exp.Expr, key: exp.Expr | None = None
) -> exp.Case:
    """Write a CASE. Unlike `exp.Case.when` it copies nothing, so long ones take linear time.

    Parameters
    ----------
    branches : iterable of (condition, value)
        In their order; of a CASE over a key, (constant, value).
    otherwise : sqlglot expression
        The answer when no branch holds.
    key : sqlglot expression, optional
        What the constants are compared with.
    """
    ifs = [exp.If(this=condition, true=value) for condition, value in branches]
    return exp.Case(this=key, ifs=ifs, default=otherwise)


def array(values: Iterable[exp.Expr]) -> exp.Expr:
    """Make a list."""
    return exp.Array(expressions=list(values))


def total(terms: Sequence[exp.Expr]) -> exp.Expr:
    """Add terms; a long sum is written as ``list_sum``, which plans in linear time."""
    if not terms:
        return number(0.0)
    if len(terms) > 50:
        return call("list_sum", array(terms))
    result = terms[0]
    for term in terms[1:]:
        result = exp.Add(this=result, expression=term)
    return result


def lookup(key: exp.Expr, values: Mapping[str, exp.Expr], otherwise: exp.Expr) -> exp.Expr:
    """Translate a text by a table of values.

    Parameters
    ----------
    key : sqlglot expression
        The text that is looked up.
    values : mapping of str to expression
        Constants by text.
    otherwise : sqlglot expression
        The answer for a text that is not in the table, and for NULL.
    """
    if not values:
        return otherwise
    if len(values) <= CASE_LIMIT:
        return choice(((text(name), value) for name, value in values.items()), otherwise, key)
    # DuckDB turns the correlated query into one hash join: the cost does not grow with the table.
    names, entries = PREFIX + "name", PREFIX + "value"
    rows = [exp.Tuple(expressions=[text(name), value]) for name, value in values.items()]
    table = exp.Values(
        expressions=rows,
        alias=exp.TableAlias(
            this=exp.to_identifier(PREFIX + "values"),
            columns=[exp.to_identifier(names), exp.to_identifier(entries)],
        ),
    )
    query = exp.select(entries).from_(table, copy=False)
    query = query.where(exp.EQ(this=exp.column(names), expression=key), copy=False)
    return exp.Coalesce(this=exp.Subquery(this=query), expressions=[otherwise])
