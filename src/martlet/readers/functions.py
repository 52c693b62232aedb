"""Stored functions for readers: scoring and search in the copy, with the tables they read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from martlet.readers.relations import PUBLIC_SCHEMAS, ModelNote
from martlet.sqltext import identifier

__all__ = ["copy_functions"]

#: Schemas that hold rows as they came: no function takes them along.
_NEVER = ("raw", "staging", "shop")

_STAGE = "stage"

Table = tuple[str, str]


@dataclass(frozen=True)
class _Function:
    """One overload of a stored function."""

    schema: str
    name: str
    kind: str
    reads: frozenset[Table]

    @property
    def key(self) -> tuple[str, str, str]:
        return self.schema, self.name, self.kind


def copy_functions(
    con: duckdb.DuckDBPyConnection, database: str, copy: str, notes: Mapping[str, ModelNote]
) -> tuple[list[str], dict[str, str]]:
    """Copy the champions' functions and those beside marts, and the tables all of them read.

    Functions are carried over by DuckDB itself, which alone knows the defaults of their arguments:
    all of the database without rows is copied into memory, thinned out, and copied on.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        A connection that has both databases attached and uses the first.
    database, copy : str
        Names of the built database and of the copy, which is still empty.
    notes : mapping of str to ModelNote
        What the project says of its models.

    Returns
    -------
    tuple of list of str and dict of str to str
        Names of the functions copied, and the reason for each left out.
    """
    versions = _champion_versions(con, database)
    functions = _wanted_functions(con, database, versions)
    left_out: dict[str, str] = {}
    for function in functions:
        refused = [table for table in sorted(function.reads) if not _may_leave(table, notes)]
        if refused:
            name = f"{function.schema}.{function.name}()"
            left_out[name] = f"reads {'.'.join(refused[0])}"
    kept = [f for f in functions if f"{f.schema}.{f.name}()" not in left_out]
    tables = {table for function in kept for table in function.reads}
    con.execute(f"attach ':memory:' as {_STAGE}")
    con.execute(f"copy from database {identifier(database)} to {_STAGE} (schema)")
    _thin_out(con, {function.key for function in kept})
    con.execute(f"copy from database {_STAGE} to {copy} (schema); detach {_STAGE}")
    for schema, name in sorted(tables):
        if schema in PUBLIC_SCHEMAS:
            continue
        place = f"{identifier(schema)}.{identifier(name)}"
        rows = f"from {identifier(database)}.{place}"
        for (home, model), version in versions.items():
            if schema == home and (name == model or name.startswith(f"{model}__")):
                rows += f" where model_version = {version}"
                break
        con.execute(f"create schema if not exists {copy}.{identifier(schema)}")
        con.execute(f"create table {copy}.{place} as {rows}")
    return sorted({f"{f.schema}.{f.name}" for f in kept}), left_out


def _champion_versions(con: duckdb.DuckDBPyConnection, database: str) -> dict[Table, int]:
    from martlet.models_cli import fitted_models

    champions = ((store, store.champion()) for store in fitted_models(con, database))
    return {
        (store.schema, store.name): int(row["model_version"]) for store, row in champions if row
    }


def _wanted_functions(
    con: duckdb.DuckDBPyConnection, database: str, versions: Mapping[Table, int]
) -> list[_Function]:
    """List the champions' functions and all that stand beside the public tables."""
    names: set[Table] = set()
    for (schema, model), version in versions.items():
        place = f"{identifier(database)}.{identifier(schema)}.{identifier(model)}"
        found = con.execute(f"select functions from {place} where is_champion").fetchall()
        for function in json.loads(found[0][0] or "{}"):
            # Functions call each other under the name with the version.
            names |= {(schema, f"{model}_{function}"), (schema, f"{model}_v{version}_{function}")}
    stored = con.execute(
        "select schema_name, function_name, function_type, macro_definition "
        "from duckdb_functions() where not internal and database_name = ? order by all",
        [database],
    ).fetchall()
    return [
        _Function(schema, name, kind, _tables_of(con, kind, body))
        for schema, name, kind, body in stored
        if schema in PUBLIC_SCHEMAS or (schema, name) in names
    ]


def _tables_of(con: duckdb.DuckDBPyConnection, kind: str, body: str) -> frozenset[Table]:
    """Name the stored tables that a function reads; rows it is given have no schema."""
    query = body if kind == "table_macro" else f"select {body}"
    found = con.execute("select json_serialize_sql(?::varchar)::varchar", [query]).fetchall()
    tables: set[Table] = set()
    pending: list[Any] = [json.loads(found[0][0])]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if node.get("type") == "BASE_TABLE" and node.get("schema_name"):
                tables.add((node["schema_name"], node["table_name"]))
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
    return frozenset(tables)


def _may_leave(table: Table, notes: Mapping[str, ModelNote]) -> bool:
    schema, name = table
    return schema not in _NEVER and not notes.get(name, ModelNote()).is_personal


def _thin_out(con: duckdb.DuckDBPyConnection, kept: set[tuple[str, str, str]]) -> None:
    """Leave nothing in the stage but functions that are kept, and their schemas."""
    for kind, listing in (("view", "duckdb_views"), ("table", "duckdb_tables")):
        places = con.execute(
            f"select schema_name, {kind}_name from {listing}() "
            f"where database_name = '{_STAGE}' and not internal"
        ).fetchall()
        for schema, name in places:
            con.execute(f"drop {kind} {_STAGE}.{identifier(schema)}.{identifier(name)}")
    stored = con.execute(
        "select distinct schema_name, function_name, function_type from duckdb_functions() "
        f"where database_name = '{_STAGE}' and not internal"
    ).fetchall()
    for function in stored:
        if function not in kept:
            schema, name, kind = function
            words = "macro table" if kind == "table_macro" else "macro"
            con.execute(f"drop {words} {_STAGE}.{identifier(schema)}.{identifier(name)}")
    used = {schema for schema, _, _ in kept} | {"main"}
    schemas = con.execute(
        "select schema_name from duckdb_schemas() "
        f"where database_name = '{_STAGE}' and not internal"
    ).fetchall()
    for (schema,) in schemas:
        if schema not in used:
            con.execute(f"drop schema {_STAGE}.{identifier(schema)}")
