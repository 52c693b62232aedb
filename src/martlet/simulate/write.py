"""Writes tables chunk by chunk: Parquet row groups, or CSV."""

from __future__ import annotations

import math
import re
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

__all__ = ["FolderWriter"]


class FolderWriter:
    """Appends tables to the files of one folder.

    Parameters
    ----------
    folder
        Where the files go; made when it is missing.
    file_format
        ``parquet`` or ``csv``.
    prefix
        What file names begin with.
    max_file_bytes
        CSV files above it are split into ``<name>_1.csv``, ``<name>_2.csv``, ...; 0: never.
    """

    def __init__(
        self, folder: Path, file_format: str, prefix: str = "raw_", max_file_bytes: int = 0
    ) -> None:
        self.folder = folder
        self.file_format = file_format
        self.prefix = prefix
        self.max_file_bytes = max_file_bytes
        self.rows: dict[str, int] = {}
        self._parquet: dict[str, Any] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._connection = duckdb.connect()

    def __enter__(self) -> FolderWriter:
        """Return the writer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish all files."""
        for writer in self._parquet.values():
            writer.close()
        self._connection.close()
        if kind is None and self.file_format == "csv" and self.max_file_bytes:
            for name in self.rows:
                self._split(name)

    def path(self, name: str) -> Path:
        """Return the file of a table."""
        return self.folder / f"{self.prefix}{name}.{self.file_format}"

    def append(self, name: str, table: pa.Table) -> None:
        """Add rows to a table's file, which the first rows replace."""
        is_new = name not in self.rows
        if is_new:
            self._remove_old(name)
        self.rows[name] = self.rows.get(name, 0) + len(table)
        if self.file_format == "csv":
            self._append_csv(name, table, is_new)
            return
        if is_new:
            self._parquet[name] = pq.ParquetWriter(
                self.path(name), table.schema, compression="zstd", use_dictionary=True
            )
        self._parquet[name].write_table(table)

    def _append_csv(self, name: str, table: pa.Table, is_new: bool) -> None:
        """Write rows with quotes only where they are needed; an empty text is an empty field."""
        columns = []
        for column in table.columns:
            if pa.types.is_string(column.type):
                column = pc.if_else(pc.equal(column, ""), None, column)
            columns.append(column)
        self._connection.register("rows_to_write", pa.table(columns, names=table.column_names))
        part = self.path(name).with_suffix(".part")
        header = "true" if is_new else "false"
        target = str(part).replace("'", "''")
        self._connection.execute(f"copy rows_to_write to '{target}' (format csv, header {header})")
        self._connection.unregister("rows_to_write")
        with self.path(name).open("ab") as whole:
            whole.write(part.read_bytes())
        part.unlink()

    def _remove_old(self, name: str) -> None:
        """Remove what an earlier run left of this table in this format."""
        pattern = re.compile(rf"{re.escape(self.prefix + name)}(_\d+)?\.{self.file_format}")
        for file in self.folder.iterdir():
            if pattern.fullmatch(file.name):
                file.unlink()

    def _split(self, name: str) -> None:
        """Split a file that is too large into parts of about the same number of rows."""
        path = self.path(name)
        size = path.stat().st_size
        if size <= self.max_file_bytes:
            return
        header, *lines = path.read_bytes().splitlines(keepends=True)
        parts = math.ceil(size / (self.max_file_bytes * 0.98))
        step = math.ceil(len(lines) / parts)
        for part in range(parts):
            target = path.with_name(f"{self.prefix}{name}_{part + 1}.csv")
            target.write_bytes(header + b"".join(lines[part * step : (part + 1) * step]))
        path.unlink()
