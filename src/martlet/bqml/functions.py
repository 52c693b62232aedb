"""BigQuery's functions that DuckDB has under no name, as expressions of others."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp
from sqlglot.generator import Generator

__all__ = ["FUNCTIONS", "anonymous"]

_NUMBER = "CAST(TRIM({0}) AS DECIMAL(38, 9))"

#: By name, for functions sqlglot has no class for.
_BY_NAME = {
    "ARRAY_AVG": "LIST_AVG({0})",
    "ARRAY_INCLUDES": "LIST_CONTAINS({0}, {1})",
    "ARRAY_IS_DISTINCT": "(LEN(LIST_DISTINCT({0})) = LEN({0}))",
    "IEEE_DIVIDE": "(({0}) / ({1}))",
    "NULLIFZERO": "NULLIF({0}, 0)",
    "ZEROIFNULL": "COALESCE({0}, 0)",
}

#: By class.
_BY_CLASS: dict[type[exp.Expr], str] = {
    exp.ArrayFirst: "({0})[1]",
    exp.ArrayLast: "({0})[-1]",
    exp.JSONBool: "CAST({0} AS BOOLEAN)",
    exp.Float64: "CAST({0} AS DOUBLE)",
    exp.LaxBool: "TRY_CAST({0} ->> '$' AS BOOLEAN)",
    exp.LaxFloat64: "TRY_CAST({0} ->> '$' AS DOUBLE)",
    exp.LaxInt64: "TRY_CAST({0} ->> '$' AS BIGINT)",
    exp.LaxString: "({0} ->> '$')",
    exp.ParseBignumeric: _NUMBER,
    exp.ParseNumeric: _NUMBER,
    exp.RangeBucket: "CASE WHEN NOT {0} IS NULL THEN LEN(LIST_FILTER({1}, LAMBDA b: b <= {0})) END",
    exp.SafeAdd: "TRY({0} + {1})",
    exp.SafeConvertBytesToString: "TRY(DECODE({0}))",
    exp.SafeMultiply: "TRY({0} * {1})",
    exp.SafeNegate: "TRY(-{0})",
    exp.SafeSubtract: "TRY({0} - {1})",
}

# Elements of CAST(... FORMAT ...), longest first.
_ELEMENTS = {
    "YYYY": "%Y", "MONTH": "%B", "HH24": "%H", "HH12": "%I", "DDD": "%j", "MON": "%b",
    "DAY": "%A", "YY": "%y", "MM": "%m", "DD": "%d", "DY": "%a", "HH": "%I", "MI": "%M",
    "SS": "%S", "AM": "%p", "PM": "%p",
}  # fmt: skip
_ELEMENT = re.compile("|".join(_ELEMENTS), re.IGNORECASE)


def _filled(template: str, arguments: list[str]) -> str | None:
    try:
        return template.format(*arguments)
    except IndexError:
        return None


def anonymous(self: Generator, node: exp.Anonymous) -> str | None:
    """Write a function by its name; None when there is nothing to write.

    Parameters
    ----------
    self : Generator
        Writes the arguments.
    node : exp.Anonymous
        The call.
    """
    template = _BY_NAME.get(node.name.upper())
    return _filled(template, [self.sql(part) for part in node.expressions]) if template else None


def _written(template: str) -> Callable[[Generator, exp.Expr], str]:
    def write(self: Generator, node: exp.Expr) -> str:
        arguments = [
            self.sql(part) for part in (node.this, node.expression, *node.expressions) if part
        ]
        return _filled(template, arguments) or self.function_fallback_sql(node)  # type: ignore[arg-type]

    return write


def _normalize(self: Generator, node: exp.Normalize) -> str:
    form = node.args.get("form")
    if isinstance(form, exp.Expr) and form.name.upper() != "NFC":
        return self.function_fallback_sql(node)
    composed = f"NFC_NORMALIZE({self.sql(node, 'this')})"
    return f"LOWER({composed})" if node.args.get("is_casefold") else composed


def _byte_length(self: Generator, node: exp.ByteLength) -> str:
    binary = node.this.is_type(exp.DType.BINARY, exp.DType.VARBINARY)
    return self.func("OCTET_LENGTH" if binary else "STRLEN", node.this)


def formatted_cast(self: Generator, node: exp.Expr) -> str | None:
    """Write ``CAST(moment AS STRING FORMAT 'YYYY-MM-DD')``; None for any other cast.

    Parameters
    ----------
    self : Generator
        Writes the value.
    node : exp.Cast or exp.TryCast
        The cast.
    """
    pattern = node.args.get("format")
    if pattern is None or not pattern.is_string or not node.args["to"].is_type("text"):
        return None
    text = _ELEMENT.sub(lambda match: _ELEMENTS[match[0].upper()], pattern.name)
    quoted = text.replace("'", "''")
    return f"STRFTIME({self.sql(node, 'this')}, '{quoted}')"


#: How DuckDB says each of these.
FUNCTIONS: dict[type[exp.Expr], Callable[..., str]] = {
    **{kind: _written(template) for kind, template in _BY_CLASS.items()},
    exp.ByteLength: _byte_length,
    exp.Normalize: _normalize,
}
