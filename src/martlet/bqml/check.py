"""DuckDB's own opinion of a converted query: does it parse, and are its functions there."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
from sqlglot import exp

from martlet.bqml.duckdb_dialect import PlainDuckDB
from martlet.bqml.expressions import DbtRelation, MLScalar

__all__ = ["Verdict", "judge"]

# Words that look like functions to DuckDB's parser and are resolved later.
_BUILT_IN = frozenset({"unnest", "try", "grouping", "grouping_id", "row", "struct_pack", "error"})


def _plain(tree: exp.Expr) -> str:
    def plain(node: exp.Expr) -> exp.Expr:
        if isinstance(node, DbtRelation):
            return exp.to_identifier("relation")
        return exp.Null() if isinstance(node, exp.Parameter) else node

    return tree.copy().transform(plain).sql(PlainDuckDB, comments=False)


def _serialized(sql: str) -> dict[str, Any]:
    with duckdb.connect() as connection:
        row = connection.execute("select json_serialize_sql(?::varchar)", [sql]).fetchone()
    document: dict[str, Any] = json.loads(row[0]) if row else {}
    return document


@dataclass(frozen=True)
class Verdict:
    """What DuckDB says of a query.

    Attributes
    ----------
    error
        Why its parser refuses the query; None when it does not.
    unknown
        Functions it does not have, in upper case.
    """

    error: str | None
    unknown: list[str]


def judge(tree: exp.Expr) -> Verdict:
    """Ask DuckDB whether it parses a query and has its functions.

    Parameters
    ----------
    tree : exp.Expr
        The query, ready to be written for DuckDB.
    """
    answer = _serialized(_plain(tree))
    if answer.get("error"):
        return Verdict(str(answer.get("error_message", "error")), [])
    known = _known_functions()
    names = {name for name in _calls(answer) if name not in known and not name.startswith("ml_")}
    names |= {f"{call.args['namespace']}.{call.name}" for call in tree.find_all(MLScalar)}
    return Verdict(None, sorted(name.upper() for name in names))


@functools.cache
def _known_functions() -> frozenset[str]:
    with duckdb.connect() as connection:
        rows = connection.execute("select distinct function_name from duckdb_functions()")
        return frozenset(row[0] for row in rows.fetchall()) | _BUILT_IN


def _calls(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if node.get("function_name"):
            schema = node.get("schema")
            name = str(node["function_name"])
            yield f"{schema}.{name}" if schema else name
        for part in node.values():
            yield from _calls(part)
    elif isinstance(node, list):
        for part in node:
            yield from _calls(part)
