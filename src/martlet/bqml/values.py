"""Numbers, texts and aggregates whose DuckDB spelling looks alike and means something else."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from sqlglot import exp
from sqlglot.generator import Generator
from sqlglot.generators.duckdb import DuckDBGenerator

from martlet.bqml.functions import formatted_cast

__all__ = ["VALUES"]

_FRACTIONAL = (exp.DType.DOUBLE, exp.DType.FLOAT, exp.DType.DECIMAL, exp.DType.BIGDECIMAL)
_WHOLE = (exp.Floor, exp.Ceil, exp.Round, exp.Trunc)
_SPECIFIER = re.compile(r"%(%|[-+ #0']*\d*(?:\.\d+)?([a-zA-Z]))")
_EARTH_RADIUS = "6371008.7714e0"


def _literal(self: Generator, node: exp.Literal) -> str:
    # 0.5 is FLOAT64 in BigQuery and DECIMAL in DuckDB, which rounds and overflows differently.
    if node.is_string or re.fullmatch(r"\d+", node.name):
        return self.literal_sql(node)
    return node.name if "e" in node.name.lower() else f"{node.name}e0"


def _divide(self: Generator, node: exp.Expr) -> str:
    # x / 0 is an error in BigQuery and infinity in DuckDB.
    left, right = node.this, node.expression
    left_sql = self.sql(exp.Paren(this=left) if _loose(left) and _safe(node) else left)
    if right.is_number and Decimal(right.name) != 0:
        return f"{left_sql} / {self.sql(right)}"
    inner = right.unnest()
    if isinstance(inner, exp.Nullif):
        return f"{left_sql} / {self.sql(inner)}"
    return f"{left_sql} / NULLIF({self.sql(inner)}, 0)"


def _safe(node: exp.Expr) -> bool:
    return isinstance(node, exp.SafeDivide)


def _loose(node: exp.Expr) -> bool:
    return isinstance(node, (exp.Binary, exp.Unary, exp.Between, exp.In)) and not isinstance(
        node, (exp.Paren, exp.Dot, exp.Bracket)
    )


def _safe_divide(self: Generator, node: exp.SafeDivide) -> str:
    sql = _divide(self, node)
    return f"({sql})" if isinstance(node.parent, (exp.Binary, exp.Unary)) else sql


def _cast(original: Callable[..., str]) -> Callable[[Generator, exp.Expr], str]:
    def write(self: Generator, node: exp.Expr) -> str:
        # BigQuery rounds halves away from zero, DuckDB to even.
        value = node.this
        whole = node.args["to"].this in exp.DataType.INTEGER_TYPES
        if whole and value.is_type(*_FRACTIONAL) and not isinstance(value, _WHOLE):
            node.set("this", exp.Round(this=value))
        return formatted_cast(self, node) or original(self, node)

    return write


def _data_type(self: Generator, node: exp.DataType) -> str:
    # DuckDB's DECIMAL without digits keeps three of them; BigQuery's NUMERIC nine.
    if node.this in (exp.DType.DECIMAL, exp.DType.BIGDECIMAL) and not node.expressions:
        return "DECIMAL(38, 9)"
    return DuckDBGenerator.datatype_sql(self, node)  # type: ignore[arg-type]


def _in(self: Generator, node: exp.In) -> str:
    unnest = node.args.get("unnest")
    if unnest is None:
        return DuckDBGenerator.in_sql(self, node)  # type: ignore[arg-type]
    array = unnest.expressions[0] if isinstance(unnest, exp.Unnest) else unnest
    this = self.sql(node, "this")
    if isinstance(array, exp.Array) and array.expressions:
        return f"{this} IN ({self.expressions(array, flat=True)})"
    return f"{this} IN (SELECT UNNEST({self.sql(array)}))"


def _aggregated(self: Generator, node: exp.Expr) -> tuple[str, str, str]:
    """Return the argument with DISTINCT, the ORDER BY, and the slice for a LIMIT."""
    value, slice_ = node.this, ""
    if isinstance(value, exp.Limit):
        slice_ = f"[1:{self.sql(value, 'expression')}]"
        value = value.this
    order = ""
    if isinstance(value, exp.Order):
        order = f" ORDER BY {self.expressions(value, flat=True)}"
        value = value.this
    return self.sql(value), order, slice_


def _array_agg(self: Generator, node: exp.ArrayAgg) -> str:
    value, order, slice_ = _aggregated(self, node)
    return f"ARRAY_AGG({value}{order}){slice_}"


def _ignore_nulls(self: Generator, node: exp.IgnoreNulls) -> str:
    call = node.this
    if not isinstance(call, exp.ArrayAgg):
        return DuckDBGenerator.ignorenulls_sql(self, node)  # type: ignore[arg-type]
    value, order, slice_ = _aggregated(self, call)
    plain = value.removeprefix("DISTINCT ")
    return f"(ARRAY_AGG({value}{order}) FILTER (WHERE {plain} IS NOT NULL)){slice_}"


def _string_agg(self: Generator, node: exp.GroupConcat) -> str:
    value, order, slice_ = _aggregated(self, node)
    separator = self.sql(node, "separator") or "','"
    if slice_:
        return f"ARRAY_TO_STRING(ARRAY_AGG({value}{order}){slice_}, {separator})"
    return f"STRING_AGG({value}, {separator}{order})"


def _quantiles(self: Generator, node: exp.ApproxQuantiles) -> str:
    count = node.expression
    if not (count is not None and count.is_int and int(count.name) > 0):
        self.unsupported("APPROX_QUANTILES needs a literal number of parts")
        return self.func("APPROX_QUANTILES", node.this, count)
    parts = int(count.name)
    cuts = ", ".join(f"{cut / parts!r}e0" for cut in range(parts + 1))
    return f"QUANTILE_DISC({self.sql(node, 'this')}, [{cuts}])"


def _top_count(self: Generator, node: exp.ApproxTopK) -> str:
    counted = (
        f"LIST_TRANSFORM(MAP_ENTRIES(HISTOGRAM({self.sql(node, 'this')})), "
        "LAMBDA e: {'count': e.value, 'value': e.key})"
    )
    return (
        f"LIST_TRANSFORM(LIST_REVERSE_SORT({counted})[1:{self.sql(node, 'expression')}], "
        "LAMBDA e: {'value': e.value, 'count': e.count})"
    )


def _percentile(self: Generator, node: exp.PercentileCont) -> str:
    # On DECIMAL, DuckDB's quantile_cont cuts the decimals off.
    return f"QUANTILE_CONT(CAST({self.sql(node, 'this')} AS DOUBLE), {self.sql(node.expression)})"


def _format(self: Generator, node: exp.Format) -> str:
    pattern = node.this
    if not pattern.is_string:
        return self.func("PRINTF", pattern, *node.expressions)
    given = iter(node.expressions)
    values: list[str] = []
    written = []
    end = 0
    for match in _SPECIFIER.finditer(pattern.name):
        written.append(pattern.name[end : match.start()])
        end = match.end()
        letter = match.group(2)
        if letter is None:
            written.append("%%")
            continue
        value = next(given, None)
        sql = self.sql(value) if value is not None else "NULL"
        if letter in "sStT":
            written.append(match.group(0)[:-1] + "s")
            values.append(f"CAST({sql} AS TEXT)")
        else:
            written.append(match.group(0))
            values.append(f"CAST({sql} AS {'DOUBLE' if letter in 'aAeEfFgG' else 'BIGINT'})")
    written.append(pattern.name[end:])
    text = exp.Literal.string("".join(written))
    return self.func("PRINTF", text, *values)


def _fingerprint(self: Generator, node: exp.FarmFingerprint) -> str:
    # DuckDB has no FarmHash: 64 bits of MD5, signed like BigQuery's.
    text = f"CAST({self.expressions(node, flat=True)} AS TEXT)"
    return f"CAST(CAST(MD5_NUMBER_LOWER({text}) AS HUGEINT) - 9223372036854775808 AS BIGINT)"


def _safe_function(self: Generator, node: exp.SafeFunc) -> str:
    return f"TRY({self.sql(node, 'this')})"


def _series(self: Generator, node: exp.GenerateSeries) -> str:
    start, end, step = node.args["start"], node.args["end"], node.args.get("step")
    parts = [part for part in (start, end, step) if part is not None]
    if all(part.is_int or not part.is_number for part in parts):
        return self.func("GENERATE_SERIES", *parts)
    low, high, by = (Decimal(part.sql()) if part else Decimal(1) for part in (start, end, step))
    count = int((high - low) // by) + 1 if by else 0
    values = [f"{float(low + by * at)!r}e0" for at in range(max(count, 0))]
    return f"[{', '.join(values)}]"


def _bracket(self: Generator, node: exp.Bracket) -> str:
    # sqlglot moves only literal places from 0 to 1.
    places = node.expressions
    if len(places) == 1 and not isinstance(places[0], (exp.Literal, exp.Slice, exp.Neg)):
        if not node.args.get("offset") and not places[0].is_type(exp.DType.VARCHAR):
            place = exp.Paren(this=places[0]) if _loose(places[0]) else places[0]
            node.set("expressions", [exp.Add(this=place, expression=exp.Literal.number(1))])
        node.set("offset", 1)
    return DuckDBGenerator.bracket_sql(self, node)  # type: ignore[arg-type]


def _distance(self: Generator, node: exp.StDistance) -> str:
    points = [node.this, node.expression]
    known = all(
        isinstance(point, (exp.Anonymous, exp.StPoint)) and "POINT" in point.sql("bigquery").upper()
        for point in points
    )
    if not known:
        return self.func("ST_DISTANCE", *points)
    (x1, y1), (x2, y2) = (
        [self.sql(part) for part in (point.expressions or [point.this, point.expression])]
        for point in points
    )
    # Great-circle distance on the sphere BigQuery uses.
    half = (
        f"POW(SIN(RADIANS({y2} - {y1}) / 2), 2) + COS(RADIANS({y1})) * COS(RADIANS({y2})) "
        f"* POW(SIN(RADIANS({x2} - {x1}) / 2), 2)"
    )
    return f"(2 * {_EARTH_RADIUS} * ASIN(SQRT(LEAST(1, {half}))))"


#: How DuckDB says each of BigQuery's expressions.
VALUES: dict[type[exp.Expr], Callable[..., str]] = {
    exp.ApproxQuantiles: _quantiles,
    exp.ApproxTopK: _top_count,
    exp.ArrayAgg: _array_agg,
    exp.Bracket: _bracket,
    exp.Cast: _cast(DuckDBGenerator.cast_sql),
    exp.DataType: _data_type,
    exp.Div: _divide,
    exp.FarmFingerprint: _fingerprint,
    exp.Format: _format,
    exp.GenerateSeries: _series,
    exp.GroupConcat: _string_agg,
    exp.IgnoreNulls: _ignore_nulls,
    exp.In: _in,
    exp.Literal: _literal,
    exp.PercentileCont: _percentile,
    exp.SafeDivide: _safe_divide,
    exp.SafeFunc: _safe_function,
    exp.StDistance: _distance,
    exp.TryCast: _cast(DuckDBGenerator.trycast_sql),
}
