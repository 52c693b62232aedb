"""Dates and times whose DuckDB spelling looks alike and means something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp
from sqlglot.generator import Generator
from sqlglot.generators.duckdb import DuckDBGenerator

__all__ = ["DATES"]

_WEEKDAYS = ("SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY")
_DATE_UNITS = {"DAY", "WEEK", "MONTH", "QUARTER", "YEAR", "ISOWEEK", "ISOYEAR"}
_YEARS = ("%Y", "%y", "%G", "%s")


def _zoned(self: Generator, value: exp.Expr, zone: exp.Expr) -> str:
    # A timestamp without zone is UTC; AT TIME ZONE would otherwise read it as local time.
    return f"CAST({self.sql(value)} AS TIMESTAMPTZ) AT TIME ZONE {self.sql(zone)}"


def _extract(self: Generator, node: exp.Extract) -> str:
    value = self.sql(node, "expression")
    unit = node.this
    name = unit.name.upper()
    if isinstance(unit, exp.WeekStart):
        start = _WEEKDAYS.index(name) if name in _WEEKDAYS else 0
        return _week(value, start)
    if name == "DAYOFWEEK":  # BigQuery: Sunday = 1; DuckDB: Sunday = 0.
        return f"(EXTRACT(DOW FROM {value}) + 1)"
    if name == "WEEK":  # BigQuery: weeks from Sunday, before the first one 0; DuckDB: ISO.
        return _week(value, 0)
    if name == "ISOWEEK":
        return f"EXTRACT(WEEK FROM {value})"
    if name in {"MILLISECOND", "MICROSECOND"}:  # DuckDB counts the whole seconds in.
        return f"(EXTRACT({name} FROM {value}) % {1000 if name == 'MILLISECOND' else 1000000})"
    if name == "TIME":
        return f"CAST(CAST({value} AS TIMESTAMP) AS TIME)"
    if name in {"DATE", "DATETIME"}:
        kind = "TIMESTAMP" if name == "DATETIME" else name
        return f"CAST({value} AS {kind})"
    return f"EXTRACT({name} FROM {value})"


def _week(value: str, start: int) -> str:
    weekday = (
        f"(EXTRACT(DOW FROM {value}) + {7 - start}) % 7"
        if start
        else (f"EXTRACT(DOW FROM {value})")
    )
    return f"((EXTRACT(DOY FROM {value}) + 6 - {weekday}) // 7)"


def _as_date(original: Callable[[Any, Any], str]) -> Callable[[Generator, exp.Expr], str]:
    """Arithmetic on a DATE gives a DATE in BigQuery and a TIMESTAMP in DuckDB."""

    def write(self: Generator, node: exp.Expr) -> str:
        unit = node.args.get("unit")
        name = (unit.name if unit is not None else "DAY").upper()
        sql = original(self, node)
        small = name not in _DATE_UNITS and not isinstance(unit, exp.WeekStart)
        done = isinstance(node, exp.DateTrunc) and not sql.startswith("DATE_TRUNC")
        return sql if small or done or _is_timestamp(node.this) else f"CAST({sql} AS DATE)"

    return write


def _is_timestamp(node: exp.Expr) -> bool:
    kinds = (exp.Timestamp, exp.CurrentTimestamp, exp.UnixToTime, exp.Datetime, exp.StrToTime)
    return isinstance(node, kinds) or node.is_type(
        exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ, exp.DType.DATETIME
    )


def _date_trunc(self: Generator, node: exp.DateTrunc) -> str:
    return DuckDBGenerator.datetrunc_sql(self, node)  # type: ignore[arg-type]


def _moment_trunc(self: Generator, node: exp.Expr) -> str:
    # The result is a moment, not a date; DuckDB's weeks begin on Monday, BigQuery's on Sunday.
    unit = node.args["unit"]
    name = unit.name.upper()
    value = _moment(self, node.this)
    zone = node.args.get("zone")
    if zone is not None:
        value = _zoned(self, node.this, zone)
    shift = 0
    if name == "WEEK" or name in _WEEKDAYS:
        shift = (1 - (_WEEKDAYS.index(name) if name in _WEEKDAYS else 0)) % 7
        name = "WEEK"
    elif name == "ISOWEEK":
        name = "WEEK"
    cut = f"DATE_TRUNC('{name}', {value})"
    if shift:
        days = f"INTERVAL {shift} DAY"
        cut = f"(DATE_TRUNC('{name}', {value} + {days}) - {days})"
    return f"{cut} AT TIME ZONE {self.sql(zone)}" if zone is not None else cut


def _whole_units(self: Generator, node: exp.TimestampDiff) -> str:
    # BigQuery counts whole units between two timestamps, DuckDB's date_diff crossed boundaries.
    unit = node.args.get("unit")
    name = (unit.name if unit is not None else "DAY").lower()
    start, end = (_moment(self, part) for part in (node.expression, node.this))
    return f"DATE_SUB('{name}', {start}, {end})"


def _moment(self: Generator, node: exp.Expr) -> str:
    sql = self.sql(node)
    return f"CAST({sql} AS TIMESTAMP)" if node.is_string else sql


def _date(self: Generator, node: exp.Date) -> str:
    zone = node.args.get("zone")
    if zone is not None:
        return f"CAST({_zoned(self, node.this, zone)} AS DATE)"
    return DuckDBGenerator.TRANSFORMS[exp.Date](self, node)


def _datetime(self: Generator, node: exp.Datetime) -> str:
    zone = node.args.get("expression")
    return (
        _zoned(self, node.this, zone)
        if zone is not None
        else (f"CAST({self.sql(node, 'this')} AS TIMESTAMP)")
    )


def _timestamp(self: Generator, node: exp.Timestamp) -> str:
    zone = node.args.get("zone") or node.args.get("expression")
    value = self.sql(node, "this")
    if zone is not None:
        return f"CAST({value} AS TIMESTAMP) AT TIME ZONE {self.sql(zone)}"
    return f"CAST({value} AS TIMESTAMPTZ)"


def _current_datetime(self: Generator, node: exp.CurrentDatetime) -> str:
    zone = self.sql(node, "this") or "'UTC'"
    return f"CAST(CURRENT_TIMESTAMP AT TIME ZONE {zone} AS TIMESTAMP)"


def _current_date(self: Generator, node: exp.CurrentDate) -> str:
    zone = self.sql(node, "this")
    return f"CAST(CURRENT_TIMESTAMP AT TIME ZONE {zone} AS DATE)" if zone else "CURRENT_DATE"


def _at_time_zone(self: Generator, node: exp.AtTimeZone) -> str:
    return f"({_zoned(self, node.this, node.args['zone'])})"


def _text_of_time(self: Generator, node: exp.TimeToStr) -> str:
    zone = node.args.get("zone")
    value = node.this
    if zone is not None and isinstance(value, exp.TsOrDsToTimestamp):
        moment = _zoned(self, value.this, zone)
    else:
        moment = self.sql(value)
    return self.func("STRFTIME", moment, self.format_time(node))


def _parsed(kind: str) -> Callable[[Generator, exp.Expr], str]:
    def write(self: Generator, node: exp.Expr) -> str:
        pattern = self.format_time(node) or "''"
        value = self.sql(node, "this")
        if not any(year in pattern for year in _YEARS):  # BigQuery fills in 1970, DuckDB 1900.
            value, pattern = f"'1970 ' || {value}", f"'%Y ' || {pattern}"
        reader = "TRY_STRPTIME" if node.args.get("safe") else "STRPTIME"
        parsed = f"{reader}({value}, {pattern})"
        zone = node.args.get("zone")
        if zone is not None:
            return f"{parsed} AT TIME ZONE {self.sql(zone)}"
        return f"CAST({parsed} AS {kind})" if kind != "TIMESTAMP" else parsed

    return write


def _date_array(self: Generator, node: exp.GenerateDateArray) -> str:
    start, end = self.sql(node, "start"), self.sql(node, "end")
    step = self.sql(node, "step") or "INTERVAL '1' DAY"
    series = f"GENERATE_SERIES(CAST({start} AS DATE), CAST({end} AS DATE), {step})"
    return f"CAST({series} AS DATE[])"


def _unix_seconds(self: Generator, node: exp.UnixSeconds) -> str:
    return f"CAST(FLOOR(EPOCH({_moment(self, node.this)})) AS BIGINT)"


_ORIGINAL = DuckDBGenerator.TRANSFORMS

#: How DuckDB says each of BigQuery's date and time functions.
DATES: dict[type[exp.Expr], Callable[..., str]] = {
    exp.AtTimeZone: _at_time_zone,
    exp.CurrentDate: _current_date,
    exp.CurrentDatetime: _current_datetime,
    exp.Date: _date,
    exp.DateAdd: _as_date(_ORIGINAL[exp.DateAdd]),
    exp.DateSub: _as_date(_ORIGINAL[exp.DateSub]),
    exp.DateTrunc: _as_date(_date_trunc),
    exp.Datetime: _datetime,
    exp.DatetimeTrunc: _moment_trunc,
    exp.Extract: _extract,
    exp.GenerateDateArray: _date_array,
    exp.ParseDatetime: _parsed("TIMESTAMP"),
    exp.StrToDate: _parsed("DATE"),
    exp.StrToTime: _parsed("TIMESTAMP"),
    exp.TimeToStr: _text_of_time,
    exp.Timestamp: _timestamp,
    exp.TimestampTrunc: _moment_trunc,
    exp.TimestampDiff: _whole_units,
    exp.TsOrDsToTime: lambda self, node: (
        f"CAST(CAST({self.sql(node, 'this')} AS TIMESTAMP) AS TIME)"
    ),
    exp.UnixSeconds: _unix_seconds,
}
