"""What Spark is told instead of one node of DuckDB's SQL, whatever stands around it."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from martlet.errors import MartletError
from martlet.spark.calls import make_call, make_lambda, microseconds, named, plus
from martlet.sqltext import PREFIX, number

__all__ = ["RULES"]

#: Parts of a moment that both engines count alike.
_PARTS = {"year", "month", "day", "quarter", "hour", "minute", "week", "doy"}


def _constant(node: exp.Literal) -> exp.Expr:
    """Make a double of what Spark would read as a decimal."""
    if node.is_string or not set(node.name.lower()) & set(".e"):
        return node
    return node if "e" in node.name.lower() else exp.Literal.number(f"{node.name}e0")


def _cast(node: exp.Cast) -> exp.Expr:
    if isinstance(node.this, exp.Anonymous) and node.this.name == "explode":
        # What makes rows stands alone: its elements are cast.
        each = make_lambda(["v"], exp.Cast(this=named("v"), to=node.to))
        return make_call("explode", make_call("transform", node.this.expressions[0], each))
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
        return make_call("try_element_at", node.this, exp.Literal.number(1 - int(place.this.name)))
    # Constants are counted from 0 in the tree already.
    return make_call("get", node.this, place if place.is_int else plus(place, -1))


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
    return make_call("map_from_arrays", node.args["keys"], node.args["values"])


def _greatest_ones(node: exp.Max) -> exp.Expr:
    """Keep the greatest ones as a list, where that is asked for."""
    count = node.args.get("count")
    if count is None:
        return node
    falling = make_call("sort_array", make_call("collect_list", node.this), exp.Boolean(this=False))
    return make_call(
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
        make_call(
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
        "expressions", [*kept, exp.alias_(make_call("explode", exp.Array(expressions=rows)), name)]
    )
    return outer.from_(exp.Subquery(this=node, alias=exp.to_identifier(PREFIX + "rows_of")))


def _rows_of(node: exp.Explode) -> exp.Expr:
    if isinstance(node.this, exp.Anonymous) and node.this.name == "sequence":
        raise MartletError("a row for each number of a series: Sail does not finish planning that")
    return make_call("explode", node.this)


def _all_columns(node: exp.Star) -> exp.Expr:
    if any(node.args.values()):
        raise MartletError(f"{node.sql(dialect='duckdb')[:60]} has no equal on Spark")
    return node


def _sorted(node: exp.ArraySort) -> exp.Expr:
    falls = node.args.get("asc")
    if falls is None:
        return make_call("array_sort", node.this)
    return make_call("sort_array", node.this, exp.Boolean(this=bool(falls.this)))


def _series(node: exp.GenerateSeries) -> exp.Expr:
    step = node.args.get("step")
    if step is not None and step.sql() != "-1":
        raise MartletError("a series with steps has no equal on Spark")
    # range() leaves out its end.
    end = plus(node.args["end"], -1 if step is None else 1)
    return make_call("sequence", node.args["start"], end, *([step] if step is not None else []))


def _transformed(node: exp.Transform) -> exp.Expr:
    step = node.expression
    if len(step.expressions) == 2:
        place = step.expressions[1].name
        for item in list(step.this.find_all(exp.Identifier)):
            if item.name == place:
                item.replace(plus(exp.to_identifier(place), 1))
    return make_call("transform", node.this, step)


def _extract(node: exp.Extract) -> exp.Expr:
    part = node.this.name.lower()
    if part in ("dow", "dayofweek"):
        # Sunday is 0 on DuckDB and 1 on Spark.
        return plus(make_call("dayofweek", node.expression), -1)
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


#: By the kind of node; those that depend on the whole function are with the walk.
RULES: dict[type[exp.Expr], Callable[..., exp.Expr]] = {
    exp.AnyValue: lambda node: exp.Min(this=node.this),
    exp.ArrayAppend: lambda node: make_call(
        "concat", node.this, exp.Array(expressions=[node.expression])
    ),
    exp.ArgMin: lambda node: make_call("min_by", node.this, node.expression),
    exp.ArrayFilter: lambda node: make_call("filter", node.this, node.expression),
    exp.TimeToUnix: lambda node: exp.Div(this=microseconds(node.this), expression=number(1e6)),
    exp.ArraySort: _sorted,
    exp.Bracket: _element,
    exp.Cast: _cast,
    exp.CTE: _step,
    exp.Coalesce: _look_up,
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
    exp.Transform: _transformed,
    exp.Union: _by_name,
}
