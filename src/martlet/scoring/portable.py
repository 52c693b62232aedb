"""Scoring steps without lists: the same numbers in SQL that every engine reads.

Stored functions keep vectors in DuckDB lists. Here each list becomes its elements, one column each,
and the functions over lists become sums, products and comparisons.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from martlet.errors import MartletError
from martlet.scoring.trees import balanced
from martlet.sqltext import PREFIX, ROWS, number

__all__ = ["Lowering", "largest", "raw_column"]

#: A value of the lowered kind: one expression, or the elements of a list.
Value = exp.Expr | list[exp.Expr]

#: exp() of more overflows, of less underflows: both are errors in some engines.
_POWER = 700.0

_PLAIN = (
    exp.Case, exp.If, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.EQ, exp.NEQ, exp.Is, exp.Null, exp.Not,
    exp.And, exp.Or, exp.Add, exp.Sub, exp.Mul, exp.Neg, exp.Paren, exp.Literal, exp.Cast,
    exp.Coalesce, exp.Sqrt, exp.Abs, exp.Tanh, exp.Boolean, exp.Extract, exp.Var, exp.Identifier,
    exp.DataType, exp.Between, exp.In, exp.Lower, exp.Upper, exp.Trim, exp.Round, exp.Ln,
)  # fmt: skip


def _finite(value: exp.Expr) -> exp.Expr:
    """Say that a number is neither NaN nor infinite nor NULL, without a function for it."""
    most = number(1.7976931348623157e308)
    return exp.LTE(this=exp.Abs(this=value), expression=most)


def largest(values: Sequence[exp.Expr], kind: type[exp.Greatest] | type[exp.Least]) -> exp.Expr:
    """Return the greatest or the least of numbers that are not NULL.

    Parameters
    ----------
    values : sequence of sqlglot expression
        The numbers.
    kind : type
        Which of the two.
    """
    first, *rest = (value.copy() for value in values)
    return kind(this=first, expressions=rest) if rest else first


class Lowering:
    """Lowers one step after the other and remembers which columns are lists.

    Parameters
    ----------
    types : mapping of str to str
        DuckDB type of each raw column.
    """

    def __init__(self, types: Mapping[str, str]) -> None:
        self._types = {name.lower(): kind.upper() for name, kind in types.items()}
        self._known: dict[str, Value] = {}

    def step(self, named: Mapping[str, exp.Expr]) -> dict[str, exp.Expr]:
        """Lower one step; the elements of a list get names of their own."""
        made: dict[str, exp.Expr] = {}
        known: dict[str, Value] = {}
        for name, expression in named.items():
            value = self.value(expression)
            if isinstance(value, list):
                own = [f"{name}_{place}" for place in range(1, len(value) + 1)]
                made |= dict(zip(own, value, strict=True))
                known[name] = [_own_column(item) for item in own]
            else:
                made[name] = value
                known[name] = _own_column(name)
        self._known |= known
        return made

    def elements(self, name: str) -> list[exp.Expr]:
        """Return a step's columns by the name it had."""
        value = self._known[name]
        return value if isinstance(value, list) else [value]

    def value(self, node: exp.Expr) -> Value:
        """Lower one expression."""
        if isinstance(node, exp.Column):
            return self._column(node)
        if isinstance(node, exp.Array):
            return [self._one(item) for item in node.expressions]
        if isinstance(node, exp.Cast):
            return self._cast(node)
        if isinstance(node, exp.Paren):
            inner = self.value(node.this)
            return inner if isinstance(inner, list) else exp.Paren(this=inner)
        if isinstance(node, exp.Coalesce) and isinstance(node.this, exp.Subquery):
            return self._look_up(node)
        if isinstance(node, exp.Exp):
            low = largest([self._one(node.this), number(_POWER)], exp.Least)
            return exp.Exp(this=largest([low, number(-_POWER)], exp.Greatest))
        if isinstance(node, exp.Div):
            parts = (self._one(node.this), self._one(node.expression))
            return exp.Div(this=parts[0], expression=parts[1], typed=False, safe=False)
        if isinstance(node, exp.Greatest):
            return largest([self._one(node.this), *map(self._one, node.expressions)], exp.Greatest)
        if isinstance(node, exp.ArrayMax):
            return largest(self._list(node.this), exp.Greatest)
        if isinstance(node, exp.Anonymous):
            return self._called(node)
        if not isinstance(node, _PLAIN):
            raise MartletError(
                f"The model computes {node.sql(dialect='duckdb')[:80]}, which cannot be exported: "
                "compute it in the query before and train on the result."
            )
        return self._rebuilt(node)

    def _one(self, node: exp.Expr) -> exp.Expr:
        found = self.value(node)
        if isinstance(found, list):
            raise MartletError("The model keeps a list where a number is needed: cannot export.")
        return found

    def _list(self, node: exp.Expr) -> list[exp.Expr]:
        found = self.value(node)
        if not isinstance(found, list):
            raise MartletError(
                f"The model reads the list {node.sql(dialect='duckdb')[:60]}: lists cannot be "
                "exported."
            )
        return found

    def _rebuilt(self, node: exp.Expr) -> exp.Expr:
        changed = type(node)()
        for key, item in node.args.items():
            if isinstance(item, exp.Expr):
                changed.set(key, self._one(item))
            elif isinstance(item, list):
                changed.set(key, [self._one(i) if isinstance(i, exp.Expr) else i for i in item])
            else:
                changed.set(key, item)
        return changed

    def _column(self, node: exp.Column) -> Value:
        if node.name.startswith(PREFIX):
            known = self._known[node.name]
            return [item.copy() for item in known] if isinstance(known, list) else known.copy()
        return raw_column(node.name)

    def _cast(self, node: exp.Cast) -> Value:
        kind = node.to
        if kind.is_type(exp.DataType.Type.ARRAY, exp.DataType.Type.LIST) or kind.args.get("nested"):
            if isinstance(node.this, exp.Literal):
                return [number(float(item)) for item in node.this.name.strip("[]").split(",")]
            return self._list(node.this)
        inner = node.this
        if isinstance(inner, exp.Column) and kind.is_type("text", "varchar"):
            if self._types.get(inner.name.lower()) == "BOOLEAN":
                # Engines write truth as text in their own ways.
                value = raw_column(inner.name)
                return (
                    exp.Case()
                    .when(value, exp.Literal.string("true"))
                    .when(exp.Not(this=value.copy()), exp.Literal.string("false"))
                )
            if self._types.get(inner.name.lower()) == "VARCHAR":
                return raw_column(inner.name)
        return exp.Cast(this=self._one(inner), to=kind.copy())

    def _look_up(self, node: exp.Coalesce) -> exp.Expr:
        """Turn a look-up in a list of values into a CASE."""
        values, condition = node.this.find(exp.Values), node.this.find(exp.EQ)
        assert values is not None
        assert condition is not None
        case = exp.Case(this=self._one(condition.expression))
        for row in values.expressions:
            name, answer = row.expressions
            case = case.when(name.copy(), self._one(answer), copy=False)
        return case.else_(self._one(node.expressions[0]))

    def _called(self, node: exp.Anonymous) -> Value:
        calls: dict[str, Callable[..., Value]] = {
            "isfinite": lambda value: _finite(self._one(value)),
            "list_sum": lambda values: _sum(self._list(values)),
            "list_extract": self._extract,
            "list_max": lambda values: largest(self._list(values), exp.Greatest),
            "exp": lambda value: self.value(exp.Exp(this=value)),
            "sqrt": lambda value: exp.Sqrt(this=self._one(value)),
            "tanh": lambda value: exp.Tanh(this=self._one(value)),
            "array_inner_product": lambda a, b: _product(self._list(a), self._list(b)),
            "array_distance": lambda a, b: self._distance(a, b),
            "array_cosine_similarity": lambda a, b: self._cosine(a, b),
        }
        name = node.name.lower()
        if name not in calls:
            raise MartletError(
                f"The model uses DuckDB's function {name}, which has no equal in every engine: "
                "compute it in the query before and train on the result."
            )
        return calls[name](*node.expressions)

    def _extract(self, values: exp.Expr, place: exp.Expr) -> exp.Expr:
        return self._list(values)[int(place.name) - 1]

    def _distance(self, a: exp.Expr, b: exp.Expr) -> exp.Expr:
        gaps = [
            exp.Paren(this=exp.Sub(this=one, expression=other))
            for one, other in zip(self._list(a), self._list(b), strict=True)
        ]
        return exp.Sqrt(this=_product(gaps, gaps))

    def _cosine(self, a: exp.Expr, b: exp.Expr) -> exp.Expr:
        one, other = self._list(a), self._list(b)
        lengths = exp.Mul(
            this=exp.Sqrt(this=_product(one, one)), expression=exp.Sqrt(this=_product(other, other))
        )
        below = exp.Nullif(this=lengths, expression=number(0.0))
        above = exp.Paren(this=_product(one, other))
        return exp.Div(this=above, expression=below, typed=False, safe=False)


def raw_column(name: str) -> exp.Column:
    """Name a raw column; plain names stay unquoted, so that each engine finds its own case.

    Parameters
    ----------
    name : str
        As in the training query.
    """
    plain = name.isascii() and name.isidentifier() and name == name.lower()
    return exp.column(exp.to_identifier(name, quoted=not plain), table=ROWS)


def _own_column(name: str) -> exp.Column:
    return exp.column(exp.to_identifier(name), table=ROWS)


def _sum(terms: Sequence[exp.Expr]) -> exp.Expr:
    return balanced(list(terms), exp.Add) if terms else number(0.0)


def _product(one: Sequence[exp.Expr], other: Sequence[exp.Expr]) -> exp.Expr:
    return _sum(
        [exp.Mul(this=a.copy(), expression=b.copy()) for a, b in zip(one, other, strict=True)]
    )
