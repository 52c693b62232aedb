"""DuckDB functions as Spark calls them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlglot
from sqlglot import exp

from martlet.errors import MartletError
from martlet.sqltext import number

__all__ = ["CALLS", "make_call", "make_lambda", "microseconds", "named", "plus"]


def make_call(name: str, *arguments: exp.Expr) -> exp.Expr:
    """Write a call of a function."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def make_lambda(names: Sequence[str], body: exp.Expr) -> exp.Expr:
    """Write a lambda of these names."""
    return exp.Lambda(this=body, expressions=[exp.to_identifier(name) for name in names])


def named(name: str) -> exp.Expr:
    """Write a name that a lambda has given."""
    return exp.to_identifier(name)


def plus(node: exp.Expr, amount: int) -> exp.Expr:
    """Write the sum with a whole number; a constant is added at once."""
    if isinstance(node, exp.Literal):
        return exp.Literal.number(int(node.name) + amount)
    both = exp.Literal.number(abs(amount))
    kind = exp.Add if amount > 0 else exp.Sub
    return exp.Paren(this=kind(this=exp.Paren(this=node), expression=both))


def _total(values: exp.Expr) -> exp.Expr:
    """Add up a list; missing elements count nothing."""
    term = exp.Coalesce(this=named("x"), expressions=[number(0.0)])
    step = make_lambda(["s", "x"], exp.Add(this=named("s"), expression=term))
    return make_call("aggregate", values, number(0.0), step)


def _product(one: exp.Expr, other: exp.Expr) -> exp.Expr:
    body = exp.Mul(this=named("x"), expression=make_call("get", other, named("i")))
    return _total(make_call("transform", one, make_lambda(["x", "i"], body)))


def _distance(one: exp.Expr, other: exp.Expr) -> exp.Expr:
    gap = exp.Sub(this=named("x"), expression=make_call("get", other, named("i")))
    square = exp.Mul(this=exp.Paren(this=gap), expression=exp.Paren(this=gap.copy()))
    return exp.Sqrt(this=_total(make_call("transform", one, make_lambda(["x", "i"], square))))


def _cosine(one: exp.Expr, other: exp.Expr) -> exp.Expr:
    lengths = exp.Mul(
        this=exp.Sqrt(this=_product(one.copy(), one.copy())),
        expression=exp.Sqrt(this=_product(other.copy(), other.copy())),
    )
    below = exp.Nullif(this=exp.Paren(this=lengths), expression=number(0.0))
    return exp.Div(this=exp.Paren(this=_product(one, other)), expression=below)


def _is_finite(value: exp.Expr) -> exp.Expr:
    return exp.LTE(this=exp.Abs(this=value), expression=number(1.7976931348623157e308))


def _log_gamma(value: exp.Expr) -> exp.Expr:
    """Return ln(gamma(x)) of a positive number, to 14 digits.

    Stirling's series (Abramowitz and Stegun 6.1.41) at x + 8, less the logarithm of the eight
    factors between; the lambda binds x once.
    """
    return sqlglot.parse_one(_LOG_GAMMA, dialect="spark").transform(
        lambda node: value if isinstance(node, exp.Column) and node.name == "__value" else node
    )


_LOG_GAMMA = """
aggregate(
    array(cast(__value as double)), 0e0,
    (s, v) -> (v + 7.5e0) * ln(v + 8e0) - (v + 8e0) + 0.91893853320467274178e0
        + (8.3333333333333333333e-2 - (2.7777777777777777778e-3 - (7.9365079365079365079e-4
        - (5.9523809523809523810e-4 - (8.4175084175084175084e-4 - 1.9175269175269175269e-3
        / (v + 8e0) / (v + 8e0)) / (v + 8e0) / (v + 8e0)) / (v + 8e0) / (v + 8e0))
        / (v + 8e0) / (v + 8e0)) / (v + 8e0) / (v + 8e0)) / (v + 8e0)
        - ln(v * (v + 1e0) * (v + 2e0) * (v + 3e0))
        - ln((v + 4e0) * (v + 5e0) * (v + 6e0) * (v + 7e0))
)
"""


def microseconds(moment: exp.Expr) -> exp.Expr:
    """Write the microseconds since 1970 of a moment."""
    # Sessions count in UTC; of a moment without a zone Spark does not count at all.
    zoned = exp.DataType.build("timestamp", dialect="spark")
    return make_call("unix_micros", exp.Cast(this=moment, to=zoned))


def _reduced(values: exp.Expr, step: exp.Expr, *start: exp.Expr) -> exp.Expr:
    if not start:
        raise MartletError("list_reduce() without a first value has no equal on Spark")
    return make_call("aggregate", values, start[0], step)


def _sliced(values: exp.Expr, first: exp.Expr, last: exp.Expr) -> exp.Expr:
    if first.name != "1":
        raise MartletError("it cuts lists elsewhere than at their beginning")
    # Sail's slice() takes no list of structs.
    return make_call(
        "filter", values, make_lambda(["e", "i"], exp.LT(this=named("i"), expression=last))
    )


#: DuckDB functions that sqlglot keeps by their name.
CALLS: dict[str, Callable[..., exp.Expr]] = {
    "isfinite": _is_finite,
    "list_sum": _total,
    "list_position": lambda values, value: make_call("array_position", values, value),
    "list_extract": lambda values, place: make_call("get", values, plus(place, -1)),
    "list_reverse": lambda values: make_call("reverse", values),
    "list_slice": _sliced,
    "list_count": lambda values: make_call("size", values),
    "list_last": lambda values: make_call("try_element_at", values, exp.Literal.number(-1)),
    "list_reduce": _reduced,
    "lgamma": _log_gamma,
    # A look-up in a map is a list of one on DuckDB.
    "map_extract": lambda table, key: exp.Array(expressions=[make_call("element_at", table, key)]),
    "list_inner_product": _product,
    "array_inner_product": _product,
    "array_distance": _distance,
    "array_cosine_similarity": _cosine,
    "epoch_us": microseconds,
}  # fmt: skip
