"""Stored functions of fitted models as queries that Spark reads.

A stored function is DuckDB SQL that Martlet itself has written, so the set of what it may use is
known. What has an equal on Spark is rewritten node by node; anything else is refused by name. No
call is passed on unseen: two engines may know one name and mean two things.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from martlet.errors import MartletError
from martlet.spark.calls import CALLS, make_call, make_lambda, named
from martlet.spark.rules import RULES
from martlet.sqltext import PREFIX

__all__ = ["INPUT", "SparkFunction", "spark_functions"]

#: What stands for the rows a function is given, and before the name of an argument.
INPUT, ARGUMENT = PREFIX + "the_rows", PREFIX + "argument_"
#: The given row as one value: Spark cannot select "all columns but".
_GIVEN = PREFIX + "given"
#: The inputs of a tree as one list.
_ENCODED = PREFIX + "values"

#: Plain SQL, the same on both engines.
_SAME = (
    exp.Abs, exp.Add, exp.Alias, exp.And, exp.Array, exp.ArrayContains, exp.ArrayMax, exp.ArrayMin,
    exp.ArraySize, exp.Avg, exp.Between, exp.Boolean, exp.Case, exp.Cast, exp.Ceil, exp.Coalesce,
    exp.Column, exp.Count, exp.CountIf, exp.DataType, exp.DataTypeParam, exp.DenseRank,
    exp.Distinct, exp.Div, exp.Dot, exp.EQ, exp.Except, exp.Exp, exp.Extract, exp.Filter, exp.Floor,
    exp.From, exp.GT, exp.GTE, exp.Greatest, exp.Group, exp.Having, exp.Identifier, exp.If, exp.In,
    exp.Is, exp.LT, exp.LTE, exp.Lag, exp.Lambda, exp.Lead, exp.Least, exp.Limit, exp.Ln, exp.Lower,
    exp.MD5, exp.Min, exp.Mod, exp.Mul, exp.NEQ, exp.Neg, exp.Not, exp.Null, exp.NullSafeEQ,
    exp.NullSafeNEQ, exp.Nullif, exp.Or, exp.Order, exp.Ordered, exp.Paren, exp.Pow, exp.PropertyEQ,
    exp.Rank, exp.Round, exp.RowNumber, exp.Sign, exp.Sqrt, exp.Struct, exp.Sub, exp.Subquery,
    exp.Sum, exp.Table, exp.TableAlias, exp.Tanh, exp.Trim, exp.Tuple, exp.Upper, exp.Values,
    exp.Var, exp.VariancePop, exp.Where, exp.WindowSpec, exp.With,
)  # fmt: skip


@dataclass(frozen=True)
class SparkFunction:
    """A stored function on Spark.

    Attributes
    ----------
    query
        With `INPUT` for the rows and ``__martlet_argument_<name>`` for each argument; empty when
        it is refused.
    defaults
        SQL of the value of each argument that is not given.
    problem
        Why it is refused.
    """

    query: str
    defaults: Mapping[str, str]
    problem: str = ""


def spark_functions(
    functions: Mapping[str, Sequence[str]], prefix: str
) -> dict[str, SparkFunction]:
    """Translate the stored functions of one version.

    Parameters
    ----------
    functions : mapping of str to sequence of str
        Texts after ``create macro <name>``, one an overload, by function.
    prefix : str
        What the names of this version's functions begin with, ``<model>_v<version>_``.

    Returns
    -------
    dict of str to SparkFunction
        By function; an overload without rows is ``<function>_stored``.
    """
    made = {}
    for name, texts in functions.items():
        for text in texts:
            takes_rows = text.lstrip().startswith("(input")
            own = name if takes_rows else f"{name}_stored"
            try:
                made[own] = _translated(text, functions, prefix)
            except MartletError as error:
                made[own] = SparkFunction("", {}, str(error))
    return made


def _translated(text: str, functions: Mapping[str, Sequence[str]], prefix: str) -> SparkFunction:
    head, _, body = text.partition(" as table (")
    defaults = dict(re.findall(r"(\w+) := ([^,)]+)", head))
    try:
        query = sqlglot.parse_one(body.rstrip()[:-1], dialect="duckdb")
    except sqlglot.ParseError as error:
        raise MartletError("it is written in a way that only DuckDB reads") from error
    query = _Rewriting(functions, prefix, defaults).apply(query)
    return SparkFunction(query.sql(dialect="spark"), defaults)


class _Rewriting:
    """Rewrites one function, from the leaves to the root."""

    def __init__(
        self, functions: Mapping[str, Sequence[str]], prefix: str, arguments: Mapping[str, str]
    ) -> None:
        self.functions, self.prefix, self.arguments = functions, prefix, arguments
        self.places = itertools.count()
        self.rules: dict[type[exp.Expr], Callable[..., exp.Expr]] = {
            **RULES,
            exp.Anonymous: self._anonymous,
            exp.ArrayAgg: self._collected,
            exp.ArgMax: self._greatest,
            exp.Column: self._column,
            exp.Columns: lambda _: exp.Column(this=exp.Star(), table=exp.to_identifier(_GIVEN)),
            exp.Table: self._table,
            exp.Window: self._window,
        }

    def apply(self, query: exp.Expr) -> exp.Expr:
        """Return the query as Spark is to read it."""
        keeps = query.find(exp.Columns) is not None
        self.encodes = any(node.alias == _ENCODED for node in query.find_all(exp.Alias))
        for node in query.find_all(exp.Columns):
            # The condition leaves out the function's own columns: they are not in the given row.
            node.set("this", exp.Star())
        self.source: exp.Expr = exp.select("*").from_(INPUT)
        if keeps:
            row = exp.alias_(make_call("struct", exp.Star()), _GIVEN)
            self.source = exp.select("*", row).from_(INPUT)
        return self._rewritten(query)

    def _rewritten(self, node: exp.Expr) -> exp.Expr:
        changed = node.copy() if node.parent is None else node
        for key, item in list(changed.args.items()):
            if isinstance(item, exp.Expr):
                changed.set(key, self._rewritten(item))
            elif isinstance(item, list):
                changed.set(
                    key, [self._rewritten(i) if isinstance(i, exp.Expr) else i for i in item]
                )
        rule = self.rules.get(type(changed))
        if rule is not None:
            return rule(changed)
        if not isinstance(changed, _SAME):
            raise MartletError(f"{changed.sql(dialect='duckdb')[:60]} has no equal on Spark")
        return changed

    def _anonymous(self, node: exp.Anonymous) -> exp.Expr:
        name = node.name.lower()
        if name.startswith(self.prefix.lower()) or name == "query_table":
            return node
        if name not in CALLS:
            raise MartletError(f"{name}() has no equal on Spark")
        return CALLS[name](*node.expressions)

    def _column(self, node: exp.Column) -> exp.Expr:
        if not node.table and node.name in self.arguments:
            return exp.column(ARGUMENT + node.name)
        return node

    def _collected(self, node: exp.ArrayAgg) -> exp.Expr:
        """Collect values in their order; NULL is kept, as a field of something that is not NULL."""
        value, keys = node.this, []
        if isinstance(value, exp.Order):
            keys = [item.this for item in value.expressions if not item.args.get("desc")]
            if len(keys) < len(value.expressions):
                raise MartletError("a list in falling order has no equal on Spark")
            value = value.this
        rows, name = self._rows(keys, value)
        if keys:
            rows = make_call("array_sort", rows)
        item = exp.Dot(this=named("e"), expression=named(name))
        return make_call("transform", rows, make_lambda(["e"], item))

    def _greatest(self, node: exp.ArgMax) -> exp.Expr:
        """Take the value of the greatest key; of structs Sail compares those in a list only."""
        if not isinstance(node.expression, exp.Struct):
            return make_call("max_by", node.this, node.expression)
        rows, name = self._rows([key.expression for key in node.expression.expressions], node.this)
        last = make_call("try_element_at", make_call("array_sort", rows), exp.Literal.number(-1))
        return exp.Dot(this=last, expression=named(name))

    def _rows(self, keys: Sequence[exp.Expr], value: exp.Expr) -> tuple[exp.Expr, str]:
        """Return the list of all keys and values, and what the values are called in it."""
        # Sail takes two lists whose text is the same for one column.
        name = f"v{next(self.places)}"
        fields = [exp.alias_(key, f"k{place}") for place, key in enumerate(keys)]
        return make_call(
            "collect_list", make_call("struct", *fields, exp.alias_(value, name))
        ), name

    def _window(self, node: exp.Window) -> exp.Expr:
        """Give an order to rows that are numbered: the step is computed wherever it is read."""
        if isinstance(node.this, exp.RowNumber) and not node.args.get("order"):
            if not self.encodes:
                raise MartletError("row_number() without an order has no equal on Spark")
            # All that is made of a number is made of these: whose are equal may change places.
            node.set("order", exp.Order(expressions=[exp.Ordered(this=exp.column(_ENCODED))]))
        return node

    def _table(self, node: exp.Table) -> exp.Expr:
        if not isinstance(node.this, exp.Anonymous):
            return node
        name = node.this.name
        alias = node.alias or PREFIX + "called"
        if name.lower() == "query_table":
            return exp.Subquery(this=self.source.copy(), alias=exp.to_identifier(alias))
        function = name.lower().removeprefix(self.prefix.lower())
        if function not in self.functions:
            raise MartletError(f"{name}() as a table has no equal on Spark")
        called = _translated(self.functions[function][0], self.functions, self.prefix)
        text = called.query
        for argument, value in called.defaults.items():
            text = text.replace(ARGUMENT + argument, value)
        return exp.Subquery(
            this=sqlglot.parse_one(text, dialect="spark"), alias=exp.to_identifier(alias)
        )
