"""Where fitted models live: one row a version, companion tables and stored functions.

Everything is written through the caller's connection and so in its transaction. The functions of
version 3 of a model are ``<model>_v3_<function>``; the champion's are also ``<model>_<function>``.
Promoting another version only makes the second kind again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from martlet.errors import MartletError
from martlet.estimators.base import Part
from martlet.sqltext import identifier, render, text
from martlet.stored_text import require_functions

__all__ = ["COLUMNS", "ModelStore"]

#: The fitted-model relation.
COLUMNS: dict[str, str] = {
    "model_name": "varchar",
    "model_version": "integer",
    "is_champion": "boolean",
    "status": "varchar",
    "model_type": "varchar",
    "trained_at": "timestamp",
    "duration_seconds": "double",
    "options": "json",
    "seed": "bigint",
    "label": "varchar",
    "features": "struct(name varchar, type varchar)[]",
    "training_rows": "bigint",
    "evaluation_rows": "bigint",
    "split": "json",
    "training_fingerprint": "varchar",
    "training_sql": "varchar",
    "library_versions": "json",
    "metrics": "json",
    "baseline_metrics": "json",
    "scoring_difference": "double",
    "training_info": (
        "struct(training_run bigint, iteration bigint, loss double, eval_loss double, "
        "learning_rate double, duration_ms bigint, "
        "cluster_info struct(centroid_id bigint, cluster_radius double, cluster_size bigint)[])[]"
    ),
    "feature_info": (
        'struct(input varchar, "min" double, "max" double, mean double, median double, '
        "stddev double, category_count bigint, null_count bigint, dimension bigint)[]"
    ),
    "parameters": "json",
    "scoring_sql": "varchar",
    "functions": "json",
    "notices": "varchar[]",
}


@dataclass
class ModelStore:
    """The versions of one model in one database.

    Attributes
    ----------
    con
        An open connection.
    database, schema, name
        Of the fitted-model relation.
    """

    con: duckdb.DuckDBPyConnection
    database: str
    schema: str
    name: str

    @property
    def relation(self) -> str:
        """The relation, with its database, quoted."""
        return self._in_database(self.name)

    def local(self, name: str) -> str:
        """Name something beside the relation, without the database: for use inside functions.

        A file keeps working under another name then.
        """
        return f"{identifier(self.schema)}.{identifier(name)}"

    def _in_database(self, name: str) -> str:
        return f"{identifier(self.database)}.{self.local(name)}"

    def function(self, function: str, version: int | None = None) -> str:
        """Return the bare name of a stored function, of a version or of the champion."""
        pin = f"_v{version}" if version is not None else ""
        return f"{self.name}{pin}_{function}"

    def ensure(self) -> None:
        """Make the relation, replacing something else of that name."""
        kind = self._kind(self.name)
        if kind == "VIEW":
            self.con.execute(f"drop view {self.relation}")
        elif kind and not {"model_version", "is_champion"} <= set(self._columns(self.name)):
            self.con.execute(f"drop table {self.relation}")
        self.con.execute(
            f"create schema if not exists {identifier(self.database)}.{identifier(self.schema)}"
        )
        self._make_table(self.name, COLUMNS)

    def versions(self) -> list[dict[str, Any]]:
        """Return every version, oldest first, as plain values (JSON columns as text)."""
        present = set(self._columns(self.name))
        if not {"model_version", "is_champion"} <= present:
            return []
        names = [name for name in COLUMNS if name in present]
        listed = ", ".join(identifier(name) for name in names)
        rows = self.con.execute(
            f"select {listed} from {self.relation} order by model_version"
        ).fetchall()
        return [dict(zip(names, row, strict=True)) for row in rows]

    def champion(self) -> dict[str, Any] | None:
        """Return the version that answers under the plain names."""
        return next((row for row in self.versions() if row["is_champion"]), None)

    def add_parts(self, version: int, parts: Mapping[str, Part]) -> None:
        """Write the companion tables of a version.

        Parameters
        ----------
        version : int
            The version.
        parts : mapping of str to Part
            By name; the table is ``<model>__<name>``.
        """
        for part_name, part in parts.items():
            table = f"{self.name}__{part_name}"
            self._make_table(table, {"model_version": "integer", **part.columns})
            target = self._in_database(table)
            self.con.execute(f"delete from {target} where model_version = {version}")
            if isinstance(part.rows, pa.Table):
                rows = part.rows.add_column(
                    0, "model_version", pa.array([version] * part.rows.num_rows, pa.int32())
                )
                self._insert(table, rows.select(["model_version", *part.columns]))
            else:
                names = ["model_version", *part.columns]
                self._insert_rows(
                    table, [dict(zip(names, (version, *row), strict=True)) for row in part.rows]
                )

    def part_query(self, version: int, part_name: str) -> str:
        """Return SQL of the rows of a companion table, of one version."""
        table = self.local(f"{self.name}__{part_name}")
        return f"(select * from {table} where model_version = {version})"

    def add_version(self, row: Mapping[str, Any], functions: Mapping[str, Sequence[str]]) -> None:
        """Write the row of a version.

        Parameters
        ----------
        row : mapping
            Values by column; ``functions`` is filled in here.
        functions : mapping of str to sequence of str
            Texts after ``create macro <name>``, one an overload, by function.
        """
        stored = {name: list(texts) for name, texts in functions.items()}
        self._insert_rows(self.name, [{**row, "functions": json.dumps(stored)}])

    def create_functions(
        self, functions: Mapping[str, Sequence[str]], version: int | None = None
    ) -> None:
        """Make stored functions, of a version or of the champion."""
        for function, texts in functions.items():
            name = self._in_database(self.function(function, version))
            self.con.execute(f"create or replace macro {name} {', '.join(texts)}")

    def _stored_functions(self, row: Mapping[str, Any]) -> dict[str, list[str]]:
        """Read the functions of a version, refusing what no fit has written."""
        functions: dict[str, list[str]] = json.loads(row["functions"])
        for function, texts in functions.items():
            what = f"model '{self.name}' version {row['model_version']}, function {function},"
            require_functions(self.con, self.name, texts, what)
        return functions

    def promote(self, version: int, fitted: Mapping[str, Sequence[str]] | None = None) -> None:
        """Make a version the champion: its functions get the plain names.

        Parameters
        ----------
        version : int
            The version.
        fitted : mapping of str to sequence of str, optional
            Its functions, when they have just been made by a fit. By default they are read from
            the version's row, and checked: somebody may have changed it.

        Raises
        ------
        MartletError
            If there is no such version, or its functions are none that a fit writes.
        """
        versions = {row["model_version"]: row for row in self.versions()}
        if version not in versions:
            known = ", ".join(str(number) for number in versions) or "none"
            raise MartletError(f"Model '{self.name}' has no version {version}. It has: {known}.")
        functions = fitted or self._stored_functions(versions[version])
        for row in versions.values():
            if row["is_champion"]:
                for function in set(json.loads(row["functions"])) - set(functions):
                    name = self._in_database(self.function(function))
                    self.con.execute(f"drop macro table if exists {name}")
        self.con.execute(
            f"update {self.relation} set is_champion = (model_version = {int(version)}) "
            f"where is_champion is distinct from (model_version = {int(version)})"
        )
        self.create_functions(functions)

    def set_status(self, version: int, status: str) -> None:
        """Note what became of a version."""
        wanted = render(text(status))
        self.con.execute(
            f"update {self.relation} set status = {wanted} "
            f"where model_version = {int(version)} and status is distinct from {wanted}"
        )

    def repair(self) -> bool:
        """Make missing functions again, as in a copy of the tables alone; tell whether any was."""
        present = {
            name
            for (name,) in self.con.execute(
                "select distinct function_name from duckdb_functions() "
                "where function_type = 'table_macro' and not internal "
                "and database_name = ? and schema_name = ?",
                [self.database, self.schema],
            ).fetchall()
        }
        repaired = False
        for row in self.versions():
            functions: dict[str, list[str]] = json.loads(row["functions"])
            for pin in (
                [row["model_version"], None] if row["is_champion"] else [row["model_version"]]
            ):
                missing = {
                    name: texts
                    for name, texts in functions.items()
                    if self.function(name, pin) not in present
                }
                if missing:
                    self._stored_functions(row)
                self.create_functions(missing, pin)
                repaired = repaired or bool(missing)
        return repaired

    def _kind(self, name: str) -> str | None:
        found = self.con.execute(
            "select table_type from information_schema.tables "
            "where table_catalog = ? and table_schema = ? and table_name = ?",
            [self.database, self.schema, name],
        ).fetchall()
        return str(found[0][0]) if found else None

    def _columns(self, name: str) -> list[str]:
        """Return the columns of a relation, none when there is no such relation."""
        return self._fields(name) if self._kind(name) else []

    def _fields(self, name: str) -> list[str]:
        # Of a relation that is there; information_schema.columns would list all of the database.
        target = render(text(self._in_database(name)))
        found = self.con.execute(f"select name from pragma_table_info({target})").fetchall()
        return [column for (column,) in found]

    def _make_table(self, name: str, columns: Mapping[str, str]) -> None:
        target = self._in_database(name)
        fields = ", ".join(f"{identifier(column)} {kind}" for column, kind in columns.items())
        self.con.execute(f"create table if not exists {target} ({fields})")
        present = set(self._fields(name))
        for column, kind in columns.items():
            if column not in present:
                self.con.execute(f"alter table {target} add column {identifier(column)} {kind}")

    def _insert_rows(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        query = f"select * from {self._in_database(name)} limit 0"
        schema = self.con.query(query).to_arrow_table().schema
        wanted = [{column: row.get(column) for column in schema.names} for row in rows]
        self._insert(name, pa.Table.from_pylist(wanted, schema=schema))

    def _insert(self, name: str, rows: pa.Table) -> None:
        view = "__martlet_insert"
        self.con.register(view, rows)
        listed = ", ".join(identifier(column) for column in rows.column_names)
        try:
            self.con.execute(
                f"insert into {self._in_database(name)} ({listed}) select {listed} from {view}"
            )
        finally:
            self.con.unregister(view)
