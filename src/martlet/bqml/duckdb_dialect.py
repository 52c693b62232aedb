"""DuckDB's dialect as the target of BigQuery's SQL, alone and as text of a dbt model."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.generators.duckdb import DuckDBGenerator

from martlet.bqml.dates import DATES
from martlet.bqml.expressions import DbtRelation, MLScalar, UnnestFields
from martlet.bqml.functions import FUNCTIONS, anonymous
from martlet.bqml.values import VALUES

__all__ = ["DbtDuckDB", "PlainDuckDB"]

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_JINJA = re.compile(r"\{\{|\{%|\{#|\}\}|%\}|#\}")
# Words DuckDB does not take as a column's or table's name without quotes.
_RESERVED = frozenset(DuckDBGenerator.RESERVED_KEYWORDS) | {
    "anti",
    "asof",
    "at",
    "authorization",
    "binary",
    "by",
    "collation",
    "concurrently",
    "cross",
    "current_date",
    "current_timestamp",
    "freeze",
    "full",
    "glob",
    "ilike",
    "inner",
    "is",
    "isnull",
    "join",
    "left",
    "like",
    "natural",
    "notnull",
    "outer",
    "overlaps",
    "pivot",
    "positional",
    "qualify",
    "right",
    "semi",
    "show",
    "similar",
    "tablesample",
    "unpack",
    "unpivot",
    "user",
    "verbose",
}


class _Generator(DuckDBGenerator):
    """Writes BigQuery's meaning in DuckDB's words."""

    TRANSFORMS: ClassVar[dict[type[exp.Expr], Callable[..., str]]] = {
        **DuckDBGenerator.TRANSFORMS,
        **DATES,
        **FUNCTIONS,
        **VALUES,
        MLScalar: lambda self, node: (
            f"{node.args['namespace']}_{node.name}({self.expressions(node, flat=True)})"
        ),
        DbtRelation: lambda self, node: f"{{{{ {node.name} }}}}",
        UnnestFields: lambda self, node: f"UNNEST({self.sql(node, 'this')}, max_depth := 2)",
    }

    def window_sql(self, expression: exp.Window) -> str:
        """Leave out the empty OVER() of a preprocessing function."""
        if isinstance(expression.this, MLScalar) and not expression.args.get("partition_by"):
            return self.sql(expression, "this")
        return super().window_sql(expression)

    def not_sql(self, expression: exp.Not) -> str:
        """Write ``x IS NOT NULL`` and ``x NOT IN (...)`` the way people do."""
        inner = expression.this
        sql = self.sql(inner)
        if isinstance(inner, exp.Is) and sql.endswith((" IS NULL", " IS TRUE", " IS FALSE")):
            left, _, right = sql.rpartition(" IS ")
            return f"{left} IS NOT {right}"
        if isinstance(inner, (exp.In, exp.Like, exp.Between)) and not inner.comments:
            left = self.sql(inner, "this")
            if sql.startswith(f"{left} "):
                return f"{left} NOT {sql[len(left) + 1 :]}"
        return super().not_sql(expression)

    def identifier_sql(self, expression: exp.Identifier) -> str:
        """Quote a name only when DuckDB needs it."""
        name = expression.name
        if _PLAIN_NAME.fullmatch(name) and name.lower() not in _RESERVED:
            return name
        escaped = name.replace('"', '""')
        return f'"{escaped}"'

    def anonymous_sql(self, expression: exp.Anonymous) -> str:
        """Write functions sqlglot has no name for."""
        return anonymous(self, expression) or super().anonymous_sql(expression)

    def parameter_sql(self, expression: exp.Parameter) -> str:
        """Write a query parameter as a dbt variable."""
        return f"{{{{ var('{expression.name}', 'null') }}}}"


class PlainDuckDB(DuckDB):
    """DuckDB's SQL with the meaning BigQuery gives the text."""

    Generator = _Generator


def _escaped(sql: str) -> str:
    return "{% raw %}" + sql + "{% endraw %}" if _JINJA.search(sql) else sql


class _DbtGenerator(_Generator):
    """Keeps texts and comments that look like Jinja from being read as such."""

    def literal_sql(self, expression: exp.Literal) -> str:
        return _escaped(super().literal_sql(expression))

    def identifier_sql(self, expression: exp.Identifier) -> str:
        return _escaped(super().identifier_sql(expression))

    def sanitize_comment(self, comment: str) -> str:
        """Break up what Jinja would read in a comment."""
        return _JINJA.sub(lambda match: " ".join(match.group()), super().sanitize_comment(comment))


class DbtDuckDB(PlainDuckDB):
    """DuckDB's SQL inside a dbt model."""

    Generator = _DbtGenerator
