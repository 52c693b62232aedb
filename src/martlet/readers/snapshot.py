"""One generation of a publication: the public tables as a database file and as Parquet."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from martlet import __version__
from martlet.errors import MartletError
from martlet.locks import holder, is_lock_error
from martlet.readers.functions import copy_functions
from martlet.readers.relations import ModelNote, Relation, public_relations
from martlet.sqltext import identifier, render, text

__all__ = ["STORAGE_VERSION", "Snapshot", "checksum", "write_snapshot"]

#: Every DuckDB client from 1.0 on opens a file in this format.
STORAGE_VERSION = "v1.0.0"

_COPY = "published"


@dataclass
class Snapshot:
    """What was written.

    Attributes
    ----------
    tables
        One entry a table, as in the manifest.
    models
        The champion of each fitted model behind them, as in the manifest.
    held_back
        Why a relation or function is not there, by name.
    functions
        Stored functions that came along.
    database
        Entry of the database file, as in the manifest.
    """

    tables: list[dict[str, Any]] = field(default_factory=list)
    models: list[dict[str, Any]] = field(default_factory=list)
    held_back: dict[str, str] = field(default_factory=dict)
    functions: list[str] = field(default_factory=list)
    database: dict[str, Any] = field(default_factory=dict)


def write_snapshot(
    source: Path,
    folder: Path,
    notes: Mapping[str, ModelNote],
    facts: Mapping[str, datetime | str],
    with_functions: bool = False,
) -> Snapshot:
    """Copy the public tables of a database into a folder.

    Parameters
    ----------
    source : Path
        The built database; it is only read, all of it in one state.
    folder : Path
        An empty folder. Parquet files go into a sub-folder for each schema.
    notes : mapping of str to ModelNote
        What the project says of its models.
    facts : mapping of str to datetime or str
        Columns of the one row of ``main.publication`` in the copy.
    with_functions : bool
        Whether stored functions, with the tables they read, come along.

    Returns
    -------
    Snapshot
        What was written.

    Raises
    ------
    MartletError
        If another program is writing the database, or it has nothing public.
    """
    snapshot = Snapshot()
    copy = folder / source.name
    with _opened(source) as (con, database):
        con.execute(f"attach '{_quoted(copy)}' as {_COPY} (storage_version '{STORAGE_VERSION}')")
        relations, snapshot.held_back = public_relations(con, database, notes)
        if not relations:
            raise MartletError(
                f"{source} has no table to publish in marts or exports: run `martlet build` first."
            )
        if with_functions:
            snapshot.functions, left_out = copy_functions(con, database, _COPY, notes)
            snapshot.held_back |= left_out
        for relation in relations:
            snapshot.tables.append(_write_table(con, relation, folder))
        snapshot.models = _champions(con, database)
        _write_facts(con, facts)
        con.execute(f"use memory; detach {_COPY}")
    snapshot.database = {"file": copy.name, **_sealed(copy), "storage_version": STORAGE_VERSION}
    return snapshot


@contextmanager
def _opened(source: Path) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
    """Attach the database under its own name, which its views and functions may say."""
    database = source.stem
    with duckdb.connect() as con:
        con.execute(f"set memory_limit = '{os.environ.get('MARTLET_MEMORY_LIMIT', '4GB')}'")
        # As in the profile: times are UTC, and one optimizer of DuckDB 2.0.0 answers wrongly.
        con.execute("set TimeZone = 'UTC'; set disabled_optimizers = 'statistics_propagation'")
        try:
            con.execute(f"attach '{_quoted(source)}' as {identifier(database)} (read_only)")
        except duckdb.IOException as error:
            if is_lock_error(error):
                raise MartletError(
                    f"{source} is being written by {holder(error)}: publish when it is done."
                ) from error
            raise
        con.execute(f"use {identifier(database)}")
        yield con, database


def _write_table(
    con: duckdb.DuckDBPyConnection, relation: Relation, folder: Path
) -> dict[str, Any]:
    """Copy one relation and write the copy as Parquet, so that both hold the same rows."""
    copy = f"{_COPY}.{relation.sql}"
    con.execute(f"create schema if not exists {_COPY}.{identifier(relation.schema)}")
    con.execute(f"create table {copy} as from {relation.sql}")
    described = con.execute(f"describe {copy}").fetchall()
    if relation.note.description:
        con.execute(f"comment on table {copy} is {_text(relation.note.description)}")
    for name, *_ in described:
        if said := relation.note.columns.get(name):
            con.execute(f"comment on column {copy}.{identifier(name)} is {_text(said)}")
    file = folder / relation.schema / f"{relation.name}.parquet"
    file.parent.mkdir(exist_ok=True)
    con.execute(f"copy {copy} to '{_quoted(file)}' (format parquet, compression zstd)")
    ((row_count,),) = con.execute(f"select count(*) from {copy}").fetchall()
    return {
        "schema": relation.schema,
        "name": relation.name,
        "description": relation.note.description,
        "grain": list(relation.note.grain),
        "row_count": row_count,
        "file": f"{relation.schema}/{file.name}",
        **_sealed(file),
        "columns": [{"name": name, "type": kind} for name, kind, *_ in described],
    }


def _champions(con: duckdb.DuckDBPyConnection, database: str) -> list[dict[str, Any]]:
    from martlet.models_cli import fitted_models

    found = []
    for store in fitted_models(con, database):
        row = store.champion()
        if row is not None:
            found.append(
                {
                    "name": f"{store.schema}.{store.name}",
                    "version": row["model_version"],
                    "type": row["model_type"],
                    "status": row["status"],
                    "trained_at": row["trained_at"].isoformat() + "Z",
                }
            )
    return found


def _write_facts(con: duckdb.DuckDBPyConnection, facts: Mapping[str, datetime | str]) -> None:
    """Let a reader of the database alone know what it reads."""
    values: Sequence[str] = [
        f"timestamp '{value:%Y-%m-%d %H:%M:%S}' as {name}"
        if isinstance(value, datetime)
        else f"{_text(value)} as {name}"
        for name, value in {**facts, "martlet_version": __version__}.items()
    ]
    con.execute(f"create table {_COPY}.main.publication as select {', '.join(values)}")
    con.execute(f"comment on table {_COPY}.main.publication is 'One row: when this was made.'")


def _sealed(file: Path) -> dict[str, Any]:
    """Put a finished file on the disk, read-only, and say how it can be told from a broken one."""
    with file.open("rb") as handle:
        os.fsync(handle.fileno())
    file.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
    return {"byte_count": file.stat().st_size, "sha256": checksum(file)}


def checksum(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _text(value: str) -> str:
    return render(text(value))
