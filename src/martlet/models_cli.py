"""``martlet models``: list, show, compare, roll back and verify fitted models.

Names are ``model`` or ``schema.model``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb

from martlet.build import database_path
from martlet.errors import MartletError
from martlet.options import nearest
from martlet.store import ModelStore
from martlet.verify import verify_version

__all__ = [
    "add_arguments",
    "add_database_arguments",
    "find_model",
    "find_version",
    "fitted_models",
    "open_database",
    "run",
]

#: Columns by which a fitted-model relation is known.
_KNOWN_BY = ("model_name", "model_version", "is_champion", "training_fingerprint")


def add_database_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say which database `open_database` opens.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Parser of a command.
    """
    parser.add_argument("--database", type=Path, help="DuckDB file; by default the project's")
    parser.add_argument("--project-dir", type=Path, help="folder with dbt_project.yml")
    parser.add_argument("--target", "-t", help="target of profiles/profiles.yml")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands and their arguments.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        The parser of ``martlet models``.
    """
    common = argparse.ArgumentParser(add_help=False)
    add_database_arguments(common)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    texts = {
        "list": "every fitted model with its champion",
        "show": "one version: options, features, metrics, notices",
        "compare": "metrics of the versions side by side",
        "rollback": "make another version the champion",
        "verify": "fit again from the recorded query, options and seed and compare the parameters",
    }
    for action, text in texts.items():
        own = actions.add_parser(action, help=text, description=text, parents=[common])
        if action != "list":
            own.add_argument("model", help="name of the model, or schema.name")
        if action in ("show", "verify"):
            own.add_argument("--version", type=int, help="by default the champion")
        if action == "rollback":
            own.add_argument("--to", type=int, help="version; by default the one before")


def run(options: argparse.Namespace, project: Path | None = None) -> int:
    """Run one sub-command.

    Parameters
    ----------
    options : argparse.Namespace
        Parsed arguments.
    project : Path, optional
        The dbt project; by default the current folder.

    Returns
    -------
    int
        Exit code: 0, or 1 when a verification finds a difference.
    """
    with open_database(options, project, writes=options.action == "rollback") as con:
        if options.action == "list":
            _print_table(_list(con))
            return 0
        store = find_model(con, options.model)
        if options.action == "show":
            _show(store, options.version)
        elif options.action == "compare":
            _print_table(_compare(store))
        elif options.action == "rollback":
            _rollback(store, options.to)
        else:
            same, lines = verify_version(store, options.version)
            print("\n".join(lines))
            return 0 if same else 1
    return 0


def open_database(
    options: argparse.Namespace, project: Path | None, writes: bool = False
) -> duckdb.DuckDBPyConnection:
    """Open the built database.

    Parameters
    ----------
    options : argparse.Namespace
        With ``database``, ``project_dir`` and ``target``.
    project : Path or None
        The dbt project; by default the current folder.
    writes : bool
        Whether to open it for writing.

    Raises
    ------
    MartletError
        If there is none or another program has it.
    """
    path = options.database or database_path(
        (options.project_dir or project or Path.cwd()).resolve(), options.target
    )
    if not path.is_file():
        raise MartletError(f"There is no database at {path}: build it first.")
    try:
        con = duckdb.connect(str(path), read_only=not writes)
    except duckdb.IOException as error:
        raise MartletError(f"{path} is in use by another program: close it first.") from error
    con.execute("set TimeZone = 'UTC'")
    return con


def fitted_models(
    con: duckdb.DuckDBPyConnection, database: str | None = None
) -> Iterator[ModelStore]:
    """Find every fitted-model relation of a database.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        An open connection.
    database : str, optional
        Name of an attached database; by default the current one.

    Yields
    ------
    ModelStore
        By schema and name.
    """
    wanted = ", ".join(f"'{name}'" for name in _KNOWN_BY)
    found = con.execute(
        "select table_catalog, table_schema, table_name from information_schema.columns "
        f"where column_name in ({wanted}) and table_catalog = coalesce(?, current_database()) "
        f"group by all having count(*) = {len(_KNOWN_BY)} order by all",
        [database],
    ).fetchall()
    for catalog, schema, name in found:
        yield ModelStore(con, catalog, schema, name)


def find_model(con: duckdb.DuckDBPyConnection, name: str) -> ModelStore:
    """Find a fitted model by its name, with or without the schema.

    Raises
    ------
    MartletError
        If there is none or more than one.
    """
    stores = list(fitted_models(con))
    found = [store for store in stores if name in (store.name, f"{store.schema}.{store.name}")]
    if len(found) > 1:
        places = ", ".join(f"{store.schema}.{store.name}" for store in found)
        raise MartletError(f"There is more than one model '{name}': say which ({places}).")
    if not found:
        known = [store.name for store in stores]
        hint = nearest(name, known) if known else "there is none yet."
        raise MartletError(f"There is no fitted model '{name}': {hint}")
    return found[0]


def find_version(store: ModelStore, version: int | None) -> dict[str, Any]:
    """Return a version's row; None is the champion.

    Raises
    ------
    MartletError
        If there is no such version.
    """
    versions = store.versions()
    for row in versions:
        if row["model_version"] == version or (version is None and row["is_champion"]):
            return row
    known = ", ".join(str(row["model_version"]) for row in versions) or "none"
    raise MartletError(f"Model '{store.name}' has no version {version}. It has: {known}.")


def _list(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    result = []
    for store in fitted_models(con):
        versions = store.versions()
        champion = next((row for row in versions if row["is_champion"]), None)
        if champion is not None:
            result.append(
                {
                    "model": f"{store.schema}.{store.name}",
                    "type": champion["model_type"],
                    "champion": champion["model_version"],
                    "versions": len(versions),
                    "status": versions[-1]["status"],
                    "trained at": f"{champion['trained_at']:%Y-%m-%d %H:%M}",
                    "rows": champion["training_rows"],
                }
            )
    return result


def _compare(store: ModelStore) -> list[dict[str, Any]]:
    result = []
    for row in store.versions():
        metrics = json.loads(row["metrics"] or "{}")
        shown = {name: _short(value) for name, value in metrics.items()}
        mark = "*" if row["is_champion"] else ""
        head = {"version": f"{row['model_version']}{mark}", "status": row["status"]}
        result.append(head | {"rows": row["training_rows"]} | shown)
    return result


def _show(store: ModelStore, version: int | None) -> None:
    row = find_version(store, version)
    mark = " (champion)" if row["is_champion"] else ""
    print(f"{store.schema}.{store.name} version {row['model_version']}{mark}: {row['model_type']}")
    print(f"  status: {row['status']}, trained {row['trained_at']:%Y-%m-%d %H:%M} UTC")
    print(f"  rows: {row['training_rows']} to train, {row['evaluation_rows']} to evaluate")
    print(f"  label: {row['label'] or '-'}")
    print("  features: " + ", ".join(f"{f['name']} {f['type']}" for f in row["features"]))
    for name in ("options", "split", "metrics", "library_versions"):
        entries = json.loads(row[name] or "{}")
        shown = ", ".join(f"{k}={_short(v)}" for k, v in entries.items() if v not in (None, []))
        print(f"  {name.replace('_', ' ')}: {shown}")
    for notice in row["notices"] or []:
        print(f"  note: {notice}")


def _rollback(store: ModelStore, to: int | None) -> None:
    versions = store.versions()
    champion = next((row for row in versions if row["is_champion"]), None)
    if to is None:
        before = [
            row["model_version"]
            for row in versions
            if champion is not None
            and row["model_version"] < champion["model_version"]
            and row["status"] != "insufficient_data"
        ]
        if not before:
            raise MartletError(f"Model '{store.name}' has no version before its champion.")
        to = before[-1]
    store.con.execute("begin")
    try:
        store.promote(to)
        store.con.execute("commit")
    except Exception:
        store.con.execute("rollback")
        raise
    print(f"{store.schema}.{store.name}: version {to} is the champion.")


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _print_table(rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        print("There is no fitted model yet.")
        return
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = [names, *([_short(row.get(name, "")) for name in names] for row in rows)]
    widths = [max(len(line[place]) for line in table) for place in range(len(names))]
    for line in table:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )
