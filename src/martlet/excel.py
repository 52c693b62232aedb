"""Read Excel workbooks into the warehouse, for connectors whose export is a workbook.

DuckDB reads Excel only with an extension that has to be downloaded, so the rows go through Python.
The reader itself is an extra (``pip install "martlet[excel]"``) that is imported when the first
workbook is opened and not before.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from martlet.errors import MartletError

__all__ = ["load_workbooks", "read_workbook"]

#: Rows handed to the warehouse at a time: bounds the memory, costs no time.
_BATCH_ROWS = 100_000


def load_workbooks(
    con: Any,
    files: Sequence[str],
    columns: Mapping[str, Sequence[str]],
    table: str,
    connector: str,
) -> None:
    """Create a table of text columns from all sheets that have the columns.

    A mistake in the files is not raised but left in the DuckDB variable ``martlet_problem``, so
    that the calling materialization can report it as one sentence.

    Parameters
    ----------
    con : DuckDB cursor
        The open cursor of the build.
    files : sequence of str
        Workbooks, read one after the other.
    columns : mapping of str to sequence of str
        Name of each column and its spellings, without blanks, underscores and capitals.
    table : str
        Qualified and quoted name of the table to create.
    connector : str
        Whose files they are; named in messages.
    """
    con.execute("set variable martlet_problem = null")
    definitions = ", ".join(f"{name} varchar" for name in [*columns, "source_part"])
    con.execute(f"create or replace table {table} (raw_row_number bigint, {definitions})")
    try:
        row_count = 0
        for file in files:
            for batch in read_workbook(Path(file), columns, connector):
                numbers = pa.array(range(row_count + 1, row_count + 1 + batch.num_rows), pa.int64())
                con.register(
                    "martlet_workbook_rows", batch.add_column(0, "raw_row_number", numbers)
                )
                con.execute(f"insert into {table} select * from martlet_workbook_rows")
                con.unregister("martlet_workbook_rows")
                row_count += batch.num_rows
        if row_count == 0:
            raise MartletError(
                f"The connector {connector} found no rows in {', '.join(files)}, only a header. "
                "Export the data again."
            )
    except MartletError as problem:
        text = str(problem).replace("'", "''")
        con.execute(f"set variable martlet_problem = '{text}'")


def read_workbook(
    file: Path, columns: Mapping[str, Sequence[str]], connector: str
) -> Iterator[pa.Table]:
    """Read the sheets of a workbook that have all the columns; other sheets are passed over.

    Parameters
    ----------
    file : Path
        The workbook (.xlsx, .xlsb or .xls). The first row of a sheet is its header.
    columns : mapping of str to sequence of str
        Name of each column and its spellings, without blanks, underscores and capitals.
    connector : str
        Whose file it is; named in messages.

    Yields
    ------
    pyarrow.Table
        Up to 100,000 rows of text: the columns in the order asked for and ``source_part``, the name
        of the file and the sheet.

    Raises
    ------
    MartletError
        If the reader is not installed, the file is no workbook or no sheet has the columns.
    """
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError as error:
        raise MartletError(
            f"Reading {file} needs a reader for Excel. Install it and build again:\n"
            '    pip install "martlet[excel]"'
        ) from error
    try:
        workbook = CalamineWorkbook.from_path(file)
    except (CalamineError, OSError) as error:
        raise MartletError(
            f"The connector {connector} cannot open {file} as an Excel workbook ({error}). "
            "Export the data again, or save it as CSV."
        ) from error

    was_read = False
    closest: tuple[list[str], list[str]] = ([*columns], [])
    for sheet_name in workbook.sheet_names:
        rows = workbook.get_sheet_by_name(sheet_name).iter_rows()
        header = [str(value).strip() for value in next(rows, [])]
        positions = _positions(header, columns)
        missing = [name for name in columns if name not in positions]
        if missing:
            if len(missing) <= len(closest[0]):
                closest = (missing, header)
            continue
        was_read = True
        wanted = [positions[name] for name in columns]
        yield from _batches(rows, wanted, [*columns], f"{file.name}/{sheet_name}")
    if not was_read:
        missing, header = closest
        raise MartletError(
            f"The connector {connector} misses the column {', '.join(missing)} in {file}, whose "
            f"closest sheet has: {', '.join(header)}. Rename the column in the file, or point "
            "martlet_raw_path at another file."
        )


def _positions(header: Sequence[str], columns: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Find where each column stands under one of its spellings."""
    spelled = [re.sub("[^a-z0-9]", "", name.lower()) for name in header]
    return {
        name: next(spelled.index(spelling) for spelling in spellings if spelling in spelled)
        for name, spellings in columns.items()
        if any(spelling in spelled for spelling in spellings)
    }


def _batches(
    rows: Iterator[list[Any]], wanted: Sequence[int], names: Sequence[str], source_part: str
) -> Iterator[pa.Table]:
    """Gather the wanted cells as text, a bounded number of rows at a time."""
    cells: list[list[str | None]] = [[] for _ in wanted]

    def table() -> pa.Table:
        arrays = [pa.array(column, pa.string()) for column in cells]
        arrays.append(pa.array([source_part] * len(cells[0]), pa.string()))
        return pa.table(dict(zip([*names, "source_part"], arrays, strict=True)))

    for row in rows:
        for column, position in zip(cells, wanted, strict=True):
            column.append(_text(row[position]))
        if len(cells[0]) == _BATCH_ROWS:
            yield table()
            cells = [[] for _ in wanted]
    if cells[0]:
        yield table()


def _text(value: Any) -> str | None:
    """Write a cell the way a CSV export would: Excel keeps whole numbers as floats."""
    if value is None or value == "":
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    return str(value)
