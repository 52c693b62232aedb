"""What a row of a fitted model may make the database do.

A fitted model is rows, and rows can be edited by anybody who can write the database or hands over
a file. Two of its columns hold SQL that Martlet runs again: ``functions`` when another version is
promoted or functions are missing, and ``training_sql`` when a fit is verified. Before that, the
text has to be what a fit writes: functions over tables and the rows they are given, or one query.
Nothing stored is ever unpickled, evaluated or imported.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb

from martlet.errors import MartletError

__all__ = ["require_functions", "require_query"]

#: Table functions that stored functions call: none of them leaves the database.
_TABLE_FUNCTIONS = frozenset({"query_table", "range", "generate_series", "unnest"})
_CHECKED = "__martlet_checked"
#: Scalar functions that read the surroundings.
_REFUSED = frozenset({"getenv", "query", "current_setting", "set_config"})


def require_functions(
    con: duckdb.DuckDBPyConnection, name: str, texts: Sequence[str], what: str
) -> None:
    """Refuse stored text that is more than functions over tables of the database.

    DuckDB itself takes the text apart: it makes temporary functions of it and tells what each
    overload would do. None is called.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        A connection to the database of the model.
    name : str
        Name of the model; its functions may call each other.
    texts : sequence of str
        What follows ``create macro <name>``, one an overload or several.
    what : str
        Name of the model and function, for the message.

    Raises
    ------
    MartletError
        If it is not one statement, or reads files or settings.
    """
    statement = f"create or replace temporary macro {_CHECKED} {', '.join(texts)}"
    kinds = _kinds(con, statement)
    if kinds != ["CREATE"]:
        raise MartletError(_refusal(what, f"is not one function ({_listed(kinds)})"))
    try:
        con.execute(statement)
    except duckdb.Error as error:
        problem = f"is no function ({str(error).splitlines()[0]})"
        raise MartletError(_refusal(what, problem)) from error
    overloads = con.execute(
        "select function_type, macro_definition from duckdb_functions() "
        f"where database_name = 'temp' and function_name = '{_CHECKED}'"
    ).fetchall()
    kind = "macro table" if ("table_macro" in {kind for kind, _ in overloads}) else "macro"
    con.execute(f"drop {kind} temp.{_CHECKED}")
    for kind, body in overloads:
        query = body if kind == "table_macro" else f"select {body}"
        for problem in _problems(con, query, name):
            raise MartletError(_refusal(what, problem))


def require_query(con: duckdb.DuckDBPyConnection, sql: str, what: str) -> None:
    """Refuse stored text that is not one query.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Any connection; the text is parsed, not run.
    sql : str
        The text.
    what : str
        Name of the model, for the message.

    Raises
    ------
    MartletError
        If it is no SQL, another statement or several.
    """
    kinds = _kinds(con, sql)
    if kinds != ["SELECT"]:
        raise MartletError(_refusal(what, f"is not one query ({_listed(kinds)})"))


def _kinds(con: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    try:
        return [item.type.name for item in con.extract_statements(sql)]
    except duckdb.Error:
        return []


def _listed(kinds: Sequence[str]) -> str:
    return ", ".join(kinds) or "no SQL"


def _problems(con: duckdb.DuckDBPyConnection, query: str, model: str) -> Iterator[str]:
    """Walk the syntax tree of a query and name what leaves the database."""
    found = con.execute("select json_serialize_sql(?::varchar)::varchar", [query]).fetchall()
    tree = json.loads(found[0][0])
    if tree.get("error"):
        yield "cannot be read"
        return
    pending: list[Any] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending.extend(node)
        elif isinstance(node, dict):
            pending.extend(node.values())
            if node.get("type") == "TABLE_FUNCTION":
                name = str((node.get("function") or {}).get("function_name")).lower()
                if name not in _TABLE_FUNCTIONS and not name.startswith(f"{model.lower()}_"):
                    yield f"calls {name}()"
            elif node.get("type") == "BASE_TABLE":
                name = str(node.get("table_name"))
                if not node.get("schema_name") and ("/" in name or "." in name or ":" in name):
                    yield f"reads the file {name}"
            elif str(node.get("function_name")).lower() in _REFUSED:
                yield f"calls {node['function_name']}()"


def _refusal(what: str, problem: str) -> str:
    return (
        f"The stored text of {what} was not written by a fit: it {problem}. It was not run. "
        "Fit the model again with --full-refresh, and find out who changed the row."
    )
