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
from martlet.sqltext import PREFIX, number

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

#: Parts of a moment that both engines count alike.
_PARTS = {"year", "month", "day", "quarter", "hour", "minute", "week", "doy"}


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


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _lambda(names: Sequence[str], body: exp.Expr) -> exp.Expr:
    return exp.Lambda(this=body, expressions=[exp.to_identifier(name) for name in names])


def _named(name: str) -> exp.Expr:
    return exp.to_identifier(name)


def _plus(node: exp.Expr, amount: int) -> exp.Expr:
    if isinstance(node, exp.Literal):
        return exp.Literal.number(int(node.name) + amount)
    both = exp.Literal.number(abs(amount))
    kind = exp.Add if amount > 0 else exp.Sub
    return exp.Paren(this=kind(this=exp.Paren(this=node), expression=both))


def _total(values: exp.Expr) -> exp.Expr:
    """Add up a list; missing elements count nothing."""
    term = exp.Coalesce(this=_named("x"), expressions=[number(0.0)])
    step = _lambda(["s", "x"], exp.Add(this=_named("s"), expression=term))
    return _call("aggregate", values, number(0.0), step)


def _product(one: exp.Expr, other: exp.Expr) -> exp.Expr:
    body = exp.Mul(this=_named("x"), expression=_call("get", other, _named("i")))
    return _total(_call("transform", one, _lambda(["x", "i"], body)))


def _distance(one: exp.Expr, other: exp.Expr) -> exp.Expr:
    gap = exp.Sub(this=_named("x"), expression=_call("get", other, _named("i")))
    square = exp.Mul(this=exp.Paren(this=gap), expression=exp.Paren(this=gap.copy()))
    return exp.Sqrt(this=_total(_call("transform", one, _lambda(["x", "i"], square))))


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


def _microseconds(moment: exp.Expr) -> exp.Expr:
    # Sessions count in UTC; of a moment without a zone Spark does not count at all.
    zoned = exp.DataType.build("timestamp", dialect="spark")
    return _call("unix_micros", exp.Cast(this=moment, to=zoned))


def _reduced(values: exp.Expr, step: exp.Expr, *start: exp.Expr) -> exp.Expr:
    if not start:
        raise MartletError("list_reduce() without a first value has no equal on Spark")
    return _call("aggregate", values, start[0], step)


def _sliced(values: exp.Expr, first: exp.Expr, last: exp.Expr) -> exp.Expr:
    if first.name != "1":
        raise MartletError("it cuts lists elsewhere than at their beginning")
    # Sail's slice() takes no list of structs.
    return _call("filter", values, _lambda(["e", "i"], exp.LT(this=_named("i"), expression=last)))


#: DuckDB functions that sqlglot keeps by their name.
_CALLS: dict[str, Callable[..., exp.Expr]] = {
    "isfinite": _is_finite,
    "list_sum": _total,
    "list_position": lambda values, value: _call("array_position", values, value),
    "list_extract": lambda values, place: _call("get", values, _plus(place, -1)),
    "list_reverse": lambda values: _call("reverse", values),
    "list_slice": _sliced,
    "list_count": lambda values: _call("size", values),
    "list_last": lambda values: _call("try_element_at", values, exp.Literal.number(-1)),
    "list_reduce": _reduced,
    "lgamma": _log_gamma,
    # A look-up in a map is a list of one on DuckDB.
    "map_extract": lambda table, key: exp.Array(expressions=[_call("element_at", table, key)]),
    "list_inner_product": _product,
    "array_inner_product": _product,
    "array_distance": _distance,
    "array_cosine_similarity": _cosine,
    "epoch_us": lambda moment: _microseconds(moment),
}  # fmt: skip


class _Rewriting:
    """Rewrites one function, from the leaves to the root."""

    def __init__(
        self, functions: Mapping[str, Sequence[str]], prefix: str, arguments: Mapping[str, str]
    ) -> None:
        self.functions, self.prefix, self.arguments = functions, prefix, arguments
        self.places = itertools.count()
        self.rules: dict[type[exp.Expr], Callable[..., exp.Expr]] = {
            exp.AnyValue: lambda node: exp.Min(this=node.this),
            exp.Anonymous: self._anonymous,
            exp.ArrayAgg: self._collected,
            exp.ArrayAppend: lambda node: _call(
                "concat", node.this, exp.Array(expressions=[node.expression])
            ),
            exp.ArgMax: self._greatest,
            exp.ArgMin: lambda node: _call("min_by", node.this, node.expression),
            exp.ArrayFilter: lambda node: _call("filter", node.this, node.expression),
            exp.ArraySort: _sorted,
            exp.Bracket: _element,
            exp.Cast: _cast,
            exp.CTE: _step,
            exp.Coalesce: _look_up,
            exp.Column: self._column,
            exp.Columns: lambda _: exp.Column(this=exp.Star(), table=exp.to_identifier(_GIVEN)),
            exp.Explode: _rows_of,
            exp.Extract: _extract,
            exp.GenerateSeries: _series,
            exp.IgnoreNulls: _ignoring_nulls,
            exp.Join: _joined,
            exp.Literal: _constant,
            exp.Map: _mapped,
            exp.Max: _greatest_ones,
            exp.Select: _exploded,
            exp.Star: _all_columns,
            exp.Table: self._table,
            exp.TimeToUnix: lambda node: exp.Div(
                this=_microseconds(node.this), expression=number(1e6)
            ),
            exp.Transform: _transformed,
            exp.Union: _by_name,
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
            row = exp.alias_(_call("struct", exp.Star()), _GIVEN)
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
        if name not in _CALLS:
            raise MartletError(f"{name}() has no equal on Spark")
        return _CALLS[name](*node.expressions)

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
            rows = _call("array_sort", rows)
        item = exp.Dot(this=_named("e"), expression=_named(name))
        return _call("transform", rows, _lambda(["e"], item))

    def _greatest(self, node: exp.ArgMax) -> exp.Expr:
        """Take the value of the greatest key; of structs Sail compares those in a list only."""
        if not isinstance(node.expression, exp.Struct):
            return _call("max_by", node.this, node.expression)
        rows, name = self._rows([key.expression for key in node.expression.expressions], node.this)
        last = _call("try_element_at", _call("array_sort", rows), exp.Literal.number(-1))
        return exp.Dot(this=last, expression=_named(name))

    def _rows(self, keys: Sequence[exp.Expr], value: exp.Expr) -> tuple[exp.Expr, str]:
        """Return the list of all keys and values, and what the values are called in it."""
        # Sail takes two lists whose text is the same for one column.
        name = f"v{next(self.places)}"
        fields = [exp.alias_(key, f"k{place}") for place, key in enumerate(keys)]
        return _call("collect_list", _call("struct", *fields, exp.alias_(value, name))), name

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


def _constant(node: exp.Literal) -> exp.Expr:
    """Make a double of what Spark would read as a decimal."""
    if node.is_string or not set(node.name.lower()) & set(".e"):
        return node
    return node if "e" in node.name.lower() else exp.Literal.number(f"{node.name}e0")


def _cast(node: exp.Cast) -> exp.Expr:
    if isinstance(node.this, exp.Anonymous) and node.this.name == "explode":
        # What makes rows stands alone: its elements are cast.
        each = _lambda(["v"], exp.Cast(this=_named("v"), to=node.to))
        return _call("explode", _call("transform", node.this.expressions[0], each))
    if node.to.is_type(exp.DataType.Type.INT128):
        return exp.Cast(this=node.this, to=exp.DataType.build("decimal(38, 0)", dialect="spark"))
    if not node.to.is_type(exp.DataType.Type.ARRAY, exp.DataType.Type.LIST):
        return node
    if not node.to.expressions[0].is_type(*exp.DataType.NUMERIC_TYPES):
        return node
    whole = node.to.expressions[0].is_type(*exp.DataType.INTEGER_TYPES)
    if isinstance(node.this, exp.Literal):
        # A long list of constants is written as one text for DuckDB, which reads it faster.
        values = node.this.name.strip("[]").split(",")
        made = [exp.Literal.number(int(v)) if whole else number(float(v)) for v in values]
        return exp.Array(expressions=made)
    kind = "array<bigint>" if whole else "array<double>"
    return exp.Cast(this=node.this, to=exp.DataType.build(kind, dialect="spark"))


def _element(node: exp.Bracket) -> exp.Expr:
    (place,) = node.expressions
    if isinstance(place, exp.Neg) and place.this.is_int:
        # From the end; in the tree the last one is -2.
        return _call("try_element_at", node.this, exp.Literal.number(1 - int(place.this.name)))
    # Constants are counted from 0 in the tree already.
    return _call("get", node.this, place if place.is_int else _plus(place, -1))


def _step(node: exp.CTE) -> exp.Expr:
    # Spark decides by itself which steps it keeps.
    node.set("materialized", None)
    return node


def _ignoring_nulls(node: exp.IgnoreNulls) -> exp.Expr:
    # Of any_value() the least one is left, which is no NULL.
    if isinstance(node.this, exp.Min):
        return node.this
    raise MartletError(f"{node.sql(dialect='duckdb')[:60]} has no equal on Spark")


def _joined(node: exp.Join) -> exp.Expr:
    if node.kind in ("ANTI", "SEMI"):
        node.set("side", "LEFT")
    elif node.method or (node.kind and node.kind not in ("INNER", "CROSS", "OUTER")):
        raise MartletError(f"{node.sql(dialect='duckdb')[:60]} has no equal on Spark")
    return node


def _by_name(node: exp.Union) -> exp.Expr:
    if node.args.get("by_name"):
        raise MartletError("a union by name has no equal on Spark")
    return node


def _mapped(node: exp.Map) -> exp.Expr:
    return _call("map_from_arrays", node.args["keys"], node.args["values"])


def _greatest_ones(node: exp.Max) -> exp.Expr:
    """Keep the greatest ones as a list, where that is asked for."""
    count = node.args.get("count")
    if count is None:
        return node
    falling = _call("sort_array", _call("collect_list", node.this), exp.Boolean(this=False))
    return _call(
        "slice", falling, exp.Literal.number(1), exp.Cast(this=count, to=exp.DataType.build("int"))
    )


def _exploded(node: exp.Select) -> exp.Expr:
    """Make rows of several lists of constants at once: Spark makes them of one list."""
    made = [
        item for item in node.expressions
        if isinstance(item, exp.Alias) and isinstance(item.this, exp.Anonymous)
        and item.this.name == "explode"
    ]  # fmt: skip
    if len(made) < 2:
        return node
    lists = [item.this.expressions[0] for item in made]
    if not all(isinstance(item, exp.Array) for item in lists):
        raise MartletError("several lists made rows of at once have no equal on Spark")
    name = PREFIX + "element"
    rows = [
        _call(
            "struct",
            *(exp.alias_(value, item.alias) for item, value in zip(made, values, strict=True)),
        )
        for values in zip(*(item.expressions for item in lists), strict=True)
    ]
    outer = exp.select(
        *(
            exp.column(item.alias, table=name) if item in made else exp.column(item.alias_or_name)
            for item in node.expressions
        )
    )
    kept = [item for item in node.expressions if item not in made]
    node.set(
        "expressions", [*kept, exp.alias_(_call("explode", exp.Array(expressions=rows)), name)]
    )
    return outer.from_(exp.Subquery(this=node, alias=exp.to_identifier(PREFIX + "rows_of")))


def _rows_of(node: exp.Explode) -> exp.Expr:
    if isinstance(node.this, exp.Anonymous) and node.this.name == "sequence":
        raise MartletError("a row for each number of a series: Sail does not finish planning that")
    return _call("explode", node.this)


def _all_columns(node: exp.Star) -> exp.Expr:
    if any(node.args.values()):
        raise MartletError(f"{node.sql(dialect='duckdb')[:60]} has no equal on Spark")
    return node


def _sorted(node: exp.ArraySort) -> exp.Expr:
    falls = node.args.get("asc")
    if falls is None:
        return _call("array_sort", node.this)
    return _call("sort_array", node.this, exp.Boolean(this=bool(falls.this)))


def _series(node: exp.GenerateSeries) -> exp.Expr:
    step = node.args.get("step")
    if step is not None and step.sql() != "-1":
        raise MartletError("a series with steps has no equal on Spark")
    # range() leaves out its end.
    end = _plus(node.args["end"], -1 if step is None else 1)
    return _call("sequence", node.args["start"], end, *([step] if step is not None else []))


def _transformed(node: exp.Transform) -> exp.Expr:
    step = node.expression
    if len(step.expressions) == 2:
        place = step.expressions[1].name
        for item in list(step.this.find_all(exp.Identifier)):
            if item.name == place:
                item.replace(_plus(exp.to_identifier(place), 1))
    return _call("transform", node.this, step)


def _extract(node: exp.Extract) -> exp.Expr:
    part = node.this.name.lower()
    if part in ("dow", "dayofweek"):
        # Sunday is 0 on DuckDB and 1 on Spark.
        return _plus(_call("dayofweek", node.expression), -1)
    if part not in _PARTS:
        raise MartletError(f"extract({part}) is another number on Spark")
    return node


def _look_up(node: exp.Coalesce) -> exp.Expr:
    """Turn a look-up in a list of values into a CASE."""
    if not isinstance(node.this, exp.Subquery):
        return node
    values, condition = node.this.find(exp.Values), node.this.find(exp.EQ)
    if values is None or condition is None:
        return node
    pairs = [row.expressions for row in values.expressions]
    ifs = [exp.If(this=name, true=answer) for name, answer in pairs]
    return exp.Case(this=condition.expression, ifs=ifs, default=node.expressions[0])
